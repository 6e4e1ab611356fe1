import { join } from 'node:path'
import { COMPONENT_LABELS, WEIGHT_STEMS, canonicalTensorName, isIgnorableTensor } from './component-names.ts'
import type { WeightComponent } from './component-names.ts'
import { findWeightFiles } from './find-weight-files.ts'
import { readWeightFiles } from './read-weight-files.ts'
import type { StoredTensors } from './stored-tensor.ts'
import { TensorSource } from './tensor-source.ts'
import type { NamedTensor } from './tensor-source.ts'
import { linearView } from './tensor-views.ts'
import { WeightError } from './weight-error.ts'

/** Opens the weights of one component of a diffusers folder: reads headers only. Throws a WeightError that starts with the component. */
export async function openFolderWeights(folder: string, component: WeightComponent): Promise<TensorSource> {
  const files = await findWeightFiles(join(folder, component), WEIGHT_STEMS[component], folder)
  return componentSource(component, await readWeightFiles(files))
}

/** Opens the weights of a component that has a folder of its own. Throws as `openFolderWeights` does. */
export async function openWeightsIn(folder: string, component: WeightComponent): Promise<TensorSource> {
  return componentSource(component, await readWeightFiles(await findWeightFiles(folder, WEIGHT_STEMS[component])))
}

/** A component's source over tensors under any of the names diffusers and transformers have used. */
export function componentSource(component: WeightComponent, stored: StoredTensors): TensorSource {
  const tensors = new Map<string, NamedTensor>()
  for (const [original, tensor] of stored) {
    const name = canonicalTensorName(component, original)
    if (tensors.has(name))
      throw new WeightError(`the ${COMPONENT_LABELS[component]} has the tensor ${name} twice, the other time as ${original}`)
    tensors.set(name, { original, tensor: component === 'vae' && name.includes('.attentions.') ? linearView(tensor) : tensor })
  }
  return new TensorSource({
    label: COMPONENT_LABELS[component],
    tensors,
    isIgnorable: name => isIgnorableTensor(component, name),
    canonicalName: name => canonicalTensorName(component, name),
  })
}
