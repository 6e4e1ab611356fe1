// The pictures that diffusers computed under ControlNets; tools/reference/control_net_pictures.py makes them.
import { join } from 'node:path'
import type { ModelRegistry } from '../../../engine/models/model-spec.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { referenceModel } from '../weights/single-file.ts'
import { referencePictures } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

const reference = join(referenceModel('sd1-tiny'), '..', '..')

/** The reference models and the ControlNets for them. */
export function controlNetRegistry(): Promise<ModelRegistry> {
  return openRegistry([join(reference, 'models'), join(reference, 'control-nets')])
}

/** Every picture, its ControlNets by their AIRs. */
export async function controlNetPictures(): Promise<readonly ReferencePicture[]> {
  const listed = await referencePictures('control-net-pictures')
  return listed.map(({ request, image }) => {
    const controlNets = (request.controlNets ?? []).map((use) => ({ ...use, model: `local:${use.model}@1` }))
    return { image, request: { ...request, id: `control ${request.id}`, controlNets } }
  })
}

/** What a picture's test is called. */
export function usesOf({ request: { controlNets = [] } }: ReferencePicture): string {
  return controlNets.map(({ model, weight, start, end, controlMode }) => `${model} × ${weight}, ${start} to ${end}, ${controlMode}`).join('; ')
}
