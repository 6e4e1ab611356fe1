import type { Lowering } from '../graph/model-graph.ts'
import type { StoredTensor } from '../weights/stored-tensor.ts'

/** Bytes of an element once a session is open: on the CPU the runtime casts halves to floats, CUDA computes in halves. */
const ELEMENT_BYTES: Readonly<Record<Lowering, number>> = { cpu: 4, cuda: 2 }

/** Bytes that the open sessions of a model hold for these weights. */
export function heldBytes(weights: readonly StoredTensor[], lowering: Lowering): number {
  return weights.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1) * ELEMENT_BYTES[lowering], 0)
}
