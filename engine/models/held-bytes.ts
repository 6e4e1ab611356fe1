import type { Lowering } from '../graph/model-graph.ts'
import type { WeightComponent } from '../weights/component-names.ts'
import type { StoredTensor } from '../weights/stored-tensor.ts'

/** Bytes of an element of networks that compute in halves on CUDA. */
export const HALF_ELEMENT_BYTES: Readonly<Record<Lowering, number>> = { cpu: 4, cuda: 2 }

/** Bytes that a component's open sessions hold for the tensors its graphs use. */
export function heldBytes(component: WeightComponent, used: readonly StoredTensor[], lowering: Lowering): number {
  return elementCount(used) * elementBytes(component, lowering)
}

/** Numbers in all of the tensors. */
export function elementCount(tensors: readonly StoredTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0)
}

/** Bytes of an element once a session is open: everything is float32 but the UNet on CUDA, whose graph computes in halves. */
function elementBytes(component: WeightComponent, lowering: Lowering): number {
  return component === 'unet' ? HALF_ELEMENT_BYTES[lowering] : 4
}
