import type { ModelGraph, TensorSpec } from '../graph/model-graph.ts'
import type { Tensor } from '../tensor.ts'

/** A graph that is open on a device and can be run. */
export interface ModelSession {
  readonly name: string
  readonly inputs: readonly TensorSpec[]
  readonly outputs: readonly TensorSpec[]
  /**
   * Runs the graph once; blocks the calling thread for as long as it takes.
   * Feeds are read before it settles and their arrays may be filled again then; a run that is given the same object as the one
   * before it does not check it again. Outputs are the caller's to keep and to overwrite.
   * Throws a RuntimeError that names the input when a feed is missing, unknown, or of the wrong type or dims.
   */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>
  /** Frees the device memory; the session cannot be used after. */
  release(): Promise<void>
}

/** Opens graphs on one device. */
export interface Runtime {
  readonly device: Device
  open(graph: ModelGraph): Promise<ModelSession>
}

/** What computes: the processor, or one CUDA device by its index. */
export type Device = { readonly type: 'cpu' } | { readonly type: 'cuda'; readonly index: number }
