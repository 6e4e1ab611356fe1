import { CpuLayers } from './cpu-layers.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import type { Layers } from './layers.ts'
import type { Lowering } from './model-graph.ts'

/** Arithmetic of a network where the device has a choice; the processor always computes in float32. */
export type Precision = 'float32' | 'float16'

/** Makes the layers of a lowering; `input` is any of the graph's inputs, its first dimension is the number of rows. */
export function createLayers(graph: GraphBuilder, input: Value, lowering: Lowering, precision: Precision): Layers {
  void precision
  if (lowering === 'cpu') return new CpuLayers(graph, input)
  throw new Error('not yet')
}
