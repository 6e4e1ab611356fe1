import { computedWeight } from './layer-context.ts'
import type { LayerContext } from './layer-context.ts'
import { ELEMENT_CODES } from './element-type.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import type { LinearWeights, Tokens } from './layers.ts'

/** Tokens as whole numbers around `ZERO_POINT`: uint8 [rows · tokens, width], and float32 [rows · tokens, 1] what one of them stands for. */
export interface IntegerTokens {
  readonly value: Value
  readonly scale: Value
}

/** The number of a token's largest element, above or below `ZERO_POINT`. */
const TOKEN_STEPS = 127
const ZERO_POINT = 128
/**
 * The number of the largest weight of an output. Processors without VNNI add products in pairs of 16 bits, which saturate:
 * 2 · 255 · 64 is the most that fits. So the sums are exact, and the same, on every processor.
 */
const WEIGHT_STEPS = 64

/**
 * Rounds tokens to 8 bits. Each has a scale of its own: a scale of the whole tensor, as DynamicQuantizeLinear gives it, would let
 * the rows of one request change the picture of another.
 */
export function integerTokens({ graph }: LayerContext, { value }: Tokens): IntegerTokens {
  const scale = stepSize(graph, value, TOKEN_STEPS)
  const scales = graph.node('Reshape', [scale, graph.integers(-1)])
  const zeroPoints = graph.node('Expand', [zeroPoint(graph), graph.node('Shape', [scales], { type: 'int64' })])
  // A token of zeros has a scale of zero: whatever becomes of 0 / 0 is multiplied by it in the end.
  return { value: graph.node('QuantizeLinear', [value, scales, zeroPoints], { type: 'uint8', attributes: { axis: { int: 0 } } }), scale }
}

/**
 * A linear layer in whole numbers, [rows · tokens, out]: weights of 8 bits with a scale of each output, which the runtime computes
 * from those of the file when it opens the graph, and keeps in their place.
 */
export function integerLinear(context: LayerContext, tokens: IntegerTokens, { weight, bias }: LinearWeights, width: number): Value {
  const { graph } = context
  const matrix = computedWeight(context, weight, [weight.shape[0] ?? 0, width])
  const scales = graph.node('Reshape', [stepSize(graph, matrix, WEIGHT_STEPS), graph.integers(-1)])
  const rounded = graph.node('QuantizeLinear', [matrix, scales], {
    type: 'int8', attributes: { axis: { int: 0 }, output_dtype: { int: ELEMENT_CODES.int8 } },
  })
  const columns = graph.node('Transpose', [rounded], { attributes: { perm: { ints: [1, 0] } } })
  const one = graph.constant('float32', [], [1])
  const product = graph.node('com.microsoft.MatMulIntegerToFloat', [tokens.value, columns, one, scales, zeroPoint(graph)], { type: 'float32' })
  const scaled = graph.node('Mul', [product, tokens.scale])
  return bias ? graph.node('Add', [scaled, computedWeight(context, bias)]) : scaled
}

/** Of each row of a matrix [rows, columns]: its largest element, by its magnitude, divided by a number of steps; [rows, 1]. */
function stepSize(graph: GraphBuilder, matrix: Value, steps: number): Value {
  const axes = graph.integers(1)
  const highest = graph.node('ReduceMax', [matrix, axes])
  const lowest = graph.node('ReduceMin', [matrix, axes])
  const reach = graph.node('Max', [highest, graph.node('Neg', [lowest])])
  return graph.node('Mul', [reach, graph.constant('float32', [], [1 / steps])])
}

function zeroPoint(graph: GraphBuilder): Value {
  return graph.constant('uint8', [], [ZERO_POINT])
}
