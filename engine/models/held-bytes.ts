import { integerLayers } from '../architectures/integer-layers.ts'
import type { ModelPrecision } from '../architectures/integer-layers.ts'
import type { Lowering } from '../graph/model-graph.ts'
import type { WeightComponent } from '../weights/component-names.ts'
import type { StoredTensor } from '../weights/stored-tensor.ts'
import type { UsedTensors } from '../weights/tensor-source.ts'

/** Bytes of an element of networks that compute in halves on CUDA. */
export const HALF_ELEMENT_BYTES: Readonly<Record<Lowering, number>> = { cpu: 4, cuda: 2 }

/** Bytes that a component's open sessions hold for the tensors its graphs use. */
export function heldBytes(component: WeightComponent, used: UsedTensors, lowering: Lowering): number {
  return elementCount(used) * elementBytes(component, lowering)
}

/** The same of a UNet or ControlNet, of which a precision keeps some weights in one byte each. */
export function denoiserBytes(used: UsedTensors, lowering: Lowering, precision: ModelPrecision): number {
  const isInteger = integerLayers(precision)
  // Biases and what norms multiply with stay as they are.
  const integers = new Map([...used].filter(([name, { shape }]) => shape.length > 1 && isInteger(name)))
  return heldBytes('unet', used, lowering) - (elementBytes('unet', lowering) - 1) * elementCount(integers)
}

/** Numbers in all of the tensors. */
export function elementCount(tensors: UsedTensors): number {
  return [...tensors.values()].reduce((sum, tensor) => sum + sizeOf(tensor), 0)
}

function sizeOf({ shape }: StoredTensor): number {
  return shape.reduce((product, dim) => product * dim, 1)
}

/** Bytes of an element once a session is open: everything is float32 but the UNet on CUDA, whose graph computes in halves. */
function elementBytes(component: WeightComponent, lowering: Lowering): number {
  return component === 'unet' ? HALF_ELEMENT_BYTES[lowering] : 4
}
