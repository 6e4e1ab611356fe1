import { cast, imageBytes, nearest, pixelMeans } from './common-nodes.ts'
import { hasGroupNormKernel } from './fused-operators.ts'
import type { FusedOperators } from './fused-operators.ts'
import type { Value } from './graph-builder.ts'
import { activate, computedWeight } from './layer-context.ts'
import type { LayerContext } from './layer-context.ts'
import type { FeatureLayers, FeatureMap, GroupNormOptions, NormWeights, TokenLayers } from './layers.ts'
import { addConvLora } from './lora-branch.ts'

/** A sum that a norm may take into itself; computed at most once. */
interface PendingSum extends FeatureMap {
  readonly terms: readonly [Value, Value]
  /** Whether the second term is one vector per row, [rows, channels]. */
  readonly isVector: boolean
  /** The sum, once something has computed it. */
  sum: Value | undefined
}

/**
 * Layers over feature maps [rows, height, width, channels] for CUDA, from the first convolution to the last.
 *
 * An addition is not computed at once: nearly every sum is normed next, and SkipGroupNorm gives both in one pass.
 */
export function createCudaFeatureLayers(context: LayerContext, tokenLayers: TokenLayers, operators: FusedOperators): FeatureLayers {
  const { graph, precision, rows } = context

  function pendingSum(terms: readonly [Value, Value], channels: number, isVector: boolean): PendingSum {
    const pending: PendingSum = {
      channels, terms, isVector, sum: undefined,
      value() {
        const [left, right] = terms
        const addend = (): Value => (isVector ? graph.node('Reshape', [right, graph.integers(0, 1, 1, channels)]) : right)
        pending.sum ??= graph.node('Add', [left, addend()])
        return pending.sum
      },
    }
    return pending
  }

  function fusedGroupNorm(map: FeatureMap, { weight, bias }: NormWeights, options: GroupNormOptions): Value {
    // The kernel takes these two in float32 whatever it computes.
    const [gamma, beta] = [weight, bias].map(ref => cast(graph, graph.weight(ref), 'float32')) as [Value, Value]
    if (!isPending(map)) return operators.groupNorm(map.value(), gamma, beta, options)
    const [left, right] = map.terms
    const { normed, sum } = operators.skipGroupNorm(left, right, gamma, beta, { ...options, wantsSum: !map.isVector })
    map.sum = sum
    return normed
  }

  /** For numbers of channels the fused kernel cannot do: in float32, with operators every device has. */
  function plainGroupNorm(map: FeatureMap, { weight, bias }: NormWeights, { groups, epsilon, silu }: GroupNormOptions): Value {
    const input = cast(graph, map.value(), 'float32')
    const [gamma, beta] = [weight, bias].map(ref => cast(graph, graph.weight(ref), 'float32'))
    const shape = graph.node('Shape', [input], { type: 'int64' })
    // [rows, pixels, groups, channels of a group]: means over the second and the last.
    const grouped = graph.node('Reshape', [input, graph.integers(0, -1, groups, map.channels / groups)])
    const mean = (value: Value): Value => graph.node('ReduceMean', [value, graph.integers(1, 3)], { attributes: { keepdims: { int: 1 } } })
    const centred = graph.node('Sub', [grouped, mean(grouped)])
    const variance = mean(graph.node('Mul', [centred, centred]))
    const deviation = graph.node('Sqrt', [graph.node('Add', [variance, graph.constant('float32', [], [epsilon])])])
    const normed = graph.node('Reshape', [graph.node('Div', [centred, deviation]), shape])
    const shifted = graph.node('Add', [graph.node('Mul', [normed, gamma]), beta])
    return cast(graph, silu ? activate(graph, shifted, 'silu') : shifted, precision)
  }

  return {
    features(input, channels) {
      const channelsLast = graph.node('Transpose', [input], { attributes: { perm: { ints: [0, 2, 3, 1] } } })
      return feature(cast(graph, channelsLast, precision), channels)
    },

    inStrips: map => map,
    toNchw: map => graph.node('Transpose', [cast(graph, map.value(), 'float32')], { attributes: { perm: { ints: [0, 3, 1, 2] } } }),
    toImage: map => imageBytes(graph, map.value()),

    conv(map, { name, weight, bias }, stride = 1, padding = 'even') {
      const [out = 0, , kernel = 1] = weight.shape
      const conv = (weight: Value, bias?: Value): Value => {
        // [M, C, kH, kW] → [M, kH, kW, C], folded when the graph is loaded.
        const channelsLast = graph.node('Transpose', [weight], { attributes: { perm: { ints: [0, 2, 3, 1] } } })
        return operators.nhwcConv(map.value(), channelsLast, bias, { kernel, stride, padding })
      }
      const output = conv(computedWeight(context, weight), bias && computedWeight(context, bias))
      if (!context.takesLora(name)) return feature(output, out)
      return feature(addConvLora(context, { name, inputs: map.channels, outputs: out, kernel }, output, {
        narrow(down, scale) {
          const narrow = conv(kernel === 1 ? graph.node('Unsqueeze', [down, graph.integers(2, 3)]) : down)
          return graph.node('Mul', [narrow, graph.node('Unsqueeze', [scale, graph.integers(1)])])
        },
        // Channels lie last, so a kernel of 1 is a matrix.
        widen: (narrow, up) => graph.node('MatMul', [narrow, up]),
      }), out)
    },

    groupNorm(map, weights, options) {
      const isFused = hasGroupNormKernel(map.channels, options.groups)
      return feature(isFused ? fusedGroupNorm(map, weights, options) : plainGroupNorm(map, weights, options), map.channels)
    },

    add: (left, right) => pendingSum([left.value(), right.value()], left.channels, false),
    addVector: (map, vector) => pendingSum([map.value(), vector.value], map.channels, true),

    concat: (left, right) =>
      feature(graph.node('Concat', [left.value(), right.value()], { attributes: { axis: { int: -1 } } }), left.channels + right.channels),

    silu: map => feature(activate(graph, map.value(), 'silu'), map.channels),
    scale: (map, factors) => feature(graph.node('Mul', [map.value(), cast(graph, factors, precision)]), map.channels),

    upsample: map => feature(nearest(graph, map.value(), graph.constant('float32', [4], [1, 2, 2, 1])), map.channels),

    toTokens: map => tokenLayers.tokens(map.value(), map.channels),

    toMeans: map => tokenLayers.tokens(pixelMeans(graph, map.value(), [1, 2]), map.channels),

    toFeatures(tokens, like) {
      const size = graph.node('Shape', [like.value()], { type: 'int64', attributes: { start: { int: 1 }, end: { int: 3 } } })
      const shape = graph.node('Concat', [rows, size, graph.integers(tokens.width)], { attributes: { axis: { int: 0 } } })
      return feature(graph.node('Reshape', [tokens.value, shape]), tokens.width)
    },
  }
}

function feature(value: Value, channels: number): FeatureMap {
  return { channels, value: () => value }
}

/** Whether a map is a sum that nothing has computed yet. */
function isPending(map: FeatureMap): map is PendingSum {
  return 'terms' in map && (map as PendingSum).sum === undefined
}
