import type { WeightRef } from '../weights/weight-source.ts'
import { cast } from './common-nodes.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'

/** Arithmetic of a network on a device that has a choice. */
export type Precision = 'float32' | 'float16'

/** What all layers of a graph share. */
export interface LayerContext {
  readonly graph: GraphBuilder
  /** Element type of activations and weights. */
  readonly precision: Precision
  /** int64 [1]: the number of batch rows. */
  readonly rows: Value
  /** Whether a linear layer or convolution of this name has inputs for LoRAs. */
  readonly takesLora: (layer: string) => boolean
  /** Whether a linear layer of this name multiplies whole numbers of 8 bits. */
  readonly isInteger: (layer: string) => boolean
}

/** A weight in the type computed with; the runtime folds the cast when it loads the graph. */
export function computedWeight({ graph, precision }: LayerContext, ref: WeightRef, shape?: readonly number[]): Value {
  return cast(graph, graph.weight(ref, shape), precision)
}

/** An activation function of every element. */
export function activate(graph: GraphBuilder, value: Value, kind: 'silu' | 'gelu' | 'quickGelu'): Value {
  if (kind === 'gelu') return graph.node('Gelu', [value])
  // SiLU is QuickGelu with a factor of 1, in one pass where Sigmoid and Mul take two.
  const alpha = kind === 'silu' ? 1 : QUICK_GELU_ALPHA
  return graph.node('com.microsoft.QuickGelu', [value], { attributes: { alpha: { float: alpha } } })
}

const QUICK_GELU_ALPHA = 1.702
