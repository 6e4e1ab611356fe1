import type { Lowering } from '../graph/model-graph.ts'
import type { WeightComponent } from '../weights/component-names.ts'
import type { StoredTensor } from '../weights/stored-tensor.ts'

/** Bytes of an element once a session is open: everything is float32 but the UNet on CUDA, whose graph computes in halves. */
const ELEMENT_BYTES: Readonly<Record<Lowering, Readonly<Record<WeightComponent, number>>>> = {
  cpu: { text_encoder: 4, unet: 4, vae: 4 },
  cuda: { text_encoder: 4, unet: 2, vae: 4 },
}

/** Bytes that the open sessions of a model hold for the tensors its graphs use. */
export function heldBytes(used: Readonly<Record<WeightComponent, readonly StoredTensor[]>>, lowering: Lowering): number {
  const perElement = ELEMENT_BYTES[lowering]
  return (Object.keys(perElement) as WeightComponent[]).reduce((sum, component) => sum + elements(used[component]) * perElement[component], 0)
}

function elements(tensors: readonly StoredTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0)
}
