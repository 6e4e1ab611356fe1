import { createCpuFeatureLayers } from './cpu-feature-layers.ts'
import { createCudaFeatureLayers } from './cuda-feature-layers.ts'
import { SPLIT_GELU_WIDTHS, contribOperators } from './fused-operators.ts'
import type { FusedOperators } from './fused-operators.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import type { LayerContext, Precision } from './layer-context.ts'
import type { Layers } from './layers.ts'
import type { Lowering } from './model-graph.ts'
import { createStripLayers } from './strip-layers.ts'
import { createTokenLayers } from './token-layers.ts'

/**
 * Makes the layers a network is drawn with, in a lowering.
 *
 * @param input any of the graph's inputs: its first dimension is the number of rows
 * @param precision what the network is content with on CUDA; the processor computes in float32, but for layers in whole numbers
 */
export type LayersFactory = (graph: GraphBuilder, input: Value, lowering: Lowering, precision: Precision) => Layers

/** Layers of which those that `takesLora` accepts have inputs for LoRAs; on the processor those that `isInteger` accepts compute in whole numbers. */
export interface LayerChoice {
  /** @default none */
  readonly takesLora?: LayerContext['takesLora']
  /** @default none */
  readonly isInteger?: LayerContext['isInteger']
  /** Channels from which a map on the processor is cut where a network may compute in strips. @default 128: smaller maps take less than their operators' overhead is worth */
  readonly stripsFrom?: number
}

const STRIPS_FROM = 128

/** Layers without inputs for LoRAs, in floating-point numbers. */
export const createLayers: LayersFactory = layersWith({})

/** Layers of which some are special. */
export function layersWith({ takesLora = none, isInteger = none, stripsFrom = STRIPS_FROM }: LayerChoice): LayersFactory {
  return (graph, input, lowering, precision) => {
    if (lowering === 'cuda') return createCudaLayers(graph, input, precision, contribOperators(graph), takesLora)
    const context: LayerContext = { graph, precision: 'float32', rows: rowCount(graph, input), takesLora, isInteger }
    const tokenLayers = createTokenLayers(context)
    const plain = createCpuFeatureLayers(context, tokenLayers)
    return { ...tokenLayers, ...plain, ...createStripLayers(context, plain, stripsFrom), takesKeysAndValues: true }
  }
}

/** The CUDA lowering over given operators: the provider's own, or a test's in their place. */
export function createCudaLayers(
  graph: GraphBuilder, input: Value, precision: Precision, operators: FusedOperators, takesLora: LayerContext['takesLora'] = none,
): Layers {
  const context: LayerContext = { graph, precision, rows: rowCount(graph, input), takesLora, isInteger: none }
  const tokenLayers = createTokenLayers(context, {
    canDo: width => SPLIT_GELU_WIDTHS.includes(2 * width),
    emit(value, bias, width) {
      const batched = graph.node('Reshape', [value, graph.integers(1, -1, 2 * width)])
      return graph.node('Reshape', [operators.biasSplitGelu(batched, bias), graph.integers(-1, width)])
    },
  })
  return { ...tokenLayers, ...createCudaFeatureLayers(context, tokenLayers, operators), takesKeysAndValues: false }
}

function rowCount(graph: GraphBuilder, input: Value): Value {
  return graph.node('Shape', [input], { type: 'int64', attributes: { start: { int: 0 }, end: { int: 1 } } })
}

function none(): boolean {
  return false
}
