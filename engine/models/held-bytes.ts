import type { Lowering } from '../graph/model-graph.ts'
import type { Components, WeightComponent } from '../weights/component-names.ts'
import type { StoredTensor } from '../weights/stored-tensor.ts'

/** Bytes that the open sessions of a model hold for the tensors its graphs use. */
export function heldBytes(used: Components<readonly StoredTensor[]>, lowering: Lowering): number {
  const components = Object.entries(used) as readonly (readonly [WeightComponent, readonly StoredTensor[]])[]
  return components.reduce((sum, [component, tensors]) => sum + elements(tensors) * elementBytes(component, lowering), 0)
}

/** Bytes of an element once a session is open: everything is float32 but the UNet on CUDA, whose graph computes in halves. */
function elementBytes(component: WeightComponent, lowering: Lowering): number {
  return lowering === 'cuda' && component === 'unet' ? 2 : 4
}

function elements(tensors: readonly StoredTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0)
}
