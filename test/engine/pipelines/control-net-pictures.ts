// The pictures that diffusers computed under ControlNets; tools/reference/control_net_pictures.py makes them.
import { join } from 'node:path'
import type { ModelRegistry } from '../../../engine/models/model-spec.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { referenceModel } from '../weights/single-file.ts'
import { referencePictures } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

const reference = join(referenceModel('sd1-tiny'), '..', '..')

/** The reference models and the ControlNets for them, and what is in further folders. */
export function controlNetRegistry(...folders: readonly string[]): Promise<ModelRegistry> {
  return openRegistry(['models', 'control-nets', ...folders].map((folder) => join(reference, folder)))
}

/** Every picture of a folder, its ControlNets and LoRAs by their AIRs. */
export async function controlNetPictures(folder = 'control-net-pictures'): Promise<readonly ReferencePicture[]> {
  const listed = await referencePictures(folder)
  const byAir = <Use extends { readonly model: string }>(use: Use): Use => ({ ...use, model: `local:${use.model}@1` })
  return listed.map(({ request, image }) => {
    const { controlNets = [], loras } = request
    const uses = { controlNets: controlNets.map(byAir), ...(loras && { loras: loras.map(byAir) }) }
    return { image, request: { ...request, id: `control ${request.id}`, ...uses } }
  })
}

/** What a picture's test is called. */
export function usesOf({ request: { controlNets = [] } }: ReferencePicture): string {
  return controlNets.map(({ model, weight, start, end, controlMode }) => `${model} × ${weight}, ${start} to ${end}, ${controlMode}`).join('; ')
}
