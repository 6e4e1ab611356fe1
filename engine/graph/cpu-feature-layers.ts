import { convAttributes, imageBytes, nearest, pixelMeans } from './common-nodes.ts'
import type { Value } from './graph-builder.ts'
import { activate, computedWeight } from './layer-context.ts'
import type { LayerContext } from './layer-context.ts'
import type { ConvPadding, FeatureLayers, FeatureMap, TokenLayers } from './layers.ts'
import { addConvLora } from './lora-branch.ts'
import type { LoraConvSteps } from './lora-branch.ts'

/** Layers over feature maps [rows, channels, height, width] in float32, for the processor. */
export function createCpuFeatureLayers(context: LayerContext, tokenLayers: TokenLayers): FeatureLayers {
  const { graph, rows } = context

  const loraConv = (map: FeatureMap, kernel: number, stride: number, padding: ConvPadding): LoraConvSteps => ({
    narrow(down, scale) {
      const weight = kernel === 1 ? graph.node('Unsqueeze', [down, graph.integers(2, 3)]) : down
      const narrow = graph.node('Conv', [map.value(), weight], { attributes: convAttributes(kernel, stride, padding) })
      const perChannel = graph.node('Transpose', [scale], { attributes: { perm: { ints: [0, 2, 1] } } })
      return graph.node('Mul', [narrow, graph.node('Unsqueeze', [perChannel, graph.integers(3)])])
    },
    widen(narrow, up) {
      const transposed = graph.node('Transpose', [up], { attributes: { perm: { ints: [1, 0] } } })
      const weight = graph.node('Unsqueeze', [transposed, graph.integers(2, 3)])
      return graph.node('Conv', [narrow, weight], { attributes: convAttributes(1, 1) })
    },
  })

  return {
    features: (input, channels) => feature(input, channels),
    inStrips: map => map,
    toNchw: map => map.value(),
    toImage: map => graph.node('Transpose', [imageBytes(graph, map.value())], { attributes: { perm: { ints: [0, 2, 3, 1] } } }),

    conv(map, { name, weight, bias }, stride = 1, padding = 'even') {
      const [out = 0, , kernel = 1] = weight.shape
      const inputs = [map.value(), computedWeight(context, weight), ...(bias ? [computedWeight(context, bias)] : [])]
      const output = graph.node('Conv', inputs, { attributes: convAttributes(kernel, stride, padding) })
      if (!context.takesLora(name)) return feature(output, out)
      return feature(addConvLora(context, { name, inputs: map.channels, outputs: out, kernel }, output, loraConv(map, kernel, stride, padding)), out)
    },

    groupNorm(map, { weight, bias }, { groups, epsilon, silu }) {
      // InstanceNormalization has a kernel of its own; GroupNormalization has none here and falls apart into twelve nodes.
      const input = map.value()
      const perChannel = [map.channels, 1, 1]
      const grouped = graph.node('Reshape', [input, graph.integers(0, groups, -1)])
      const [ones, zeros] = [1, 0].map(number => graph.constant('float32', [groups], Array.from({ length: groups }, () => number)))
      const normed = graph.node('InstanceNormalization', [grouped, ones, zeros], { attributes: { epsilon: { float: epsilon } } })
      const restored = graph.node('Reshape', [normed, graph.node('Shape', [input], { type: 'int64' })])
      const scaled = graph.node('Mul', [restored, computedWeight(context, weight, perChannel)])
      const shifted = graph.node('Add', [scaled, computedWeight(context, bias, perChannel)])
      return feature(silu ? activate(graph, shifted, 'silu') : shifted, map.channels)
    },

    add: (left, right) => feature(graph.node('Add', [left.value(), right.value()]), left.channels),

    addVector(map, vector) {
      const column = graph.node('Reshape', [vector.value, graph.integers(0, vector.width, 1, 1)])
      return feature(graph.node('Add', [map.value(), column]), map.channels)
    },

    concat: (left, right) =>
      feature(graph.node('Concat', [left.value(), right.value()], { attributes: { axis: { int: 1 } } }), left.channels + right.channels),

    silu: map => feature(activate(graph, map.value(), 'silu'), map.channels),
    scale: (map, factors) => feature(graph.node('Mul', [map.value(), factors]), map.channels),

    upsample: map => feature(nearest(graph, map.value(), graph.constant('float32', [4], [1, 1, 2, 2])), map.channels),

    toTokens(map) {
      const channelsLast = graph.node('Transpose', [map.value()], { attributes: { perm: { ints: [0, 2, 3, 1] } } })
      return tokenLayers.tokens(channelsLast, map.channels)
    },

    toMeans: map => tokenLayers.tokens(pixelMeans(graph, map.value(), [2, 3]), map.channels),

    toFeatures(tokens, like) {
      const size = graph.node('Shape', [like.value()], { type: 'int64', attributes: { start: { int: 2 }, end: { int: 4 } } })
      const shape = graph.node('Concat', [rows, size, graph.integers(tokens.width)], { attributes: { axis: { int: 0 } } })
      const channelsLast = graph.node('Reshape', [tokens.value, shape])
      return feature(graph.node('Transpose', [channelsLast], { attributes: { perm: { ints: [0, 3, 1, 2] } } }), tokens.width)
    },
  }
}

function feature(value: Value, channels: number): FeatureMap {
  return { channels, value: () => value }
}
