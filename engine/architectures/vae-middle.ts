import type { FeatureMap, Layers } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'
import { resnet } from './resnet.ts'
import type { VaeConfig } from './vae-config.ts'

/** Of every norm in a VAE. */
export const VAE_NORM_EPSILON = 1e-6

/** The blocks at the lowest resolution, the same in a VAE's encoder and decoder. */
export function vaeMiddle(layers: Layers, weights: NetworkWeights, input: FeatureMap, config: VaeConfig): FeatureMap {
  const options = { outChannels: input.channels, groups: config.groups, epsilon: VAE_NORM_EPSILON }
  let map = resnet(layers, weights.at('resnets.0'), input, options)
  if (config.hasMiddleAttention) map = pixelAttention(layers, weights.at('attentions.0'), map, config.groups)
  return resnet(layers, weights.at('resnets.1'), map, options)
}

/** Attention of all pixels to each other with one head, added to the input. */
function pixelAttention(layers: Layers, weights: NetworkWeights, input: FeatureMap, groups: number): FeatureMap {
  const width = input.channels
  const normed = layers.groupNorm(input, weights.norm('group_norm', width), { groups, epsilon: VAE_NORM_EPSILON, silu: false })
  const tokens = layers.toTokens(normed)
  const attended = layers.attention({
    query: layers.linear(tokens, weights.linear('to_q', width, width)),
    key: layers.linear(tokens, weights.linear('to_k', width, width)),
    value: layers.linear(tokens, weights.linear('to_v', width, width)),
    heads: 1,
  })
  return layers.add(layers.toFeatures(layers.linear(attended, weights.linear('to_out.0', width, width)), input), input)
}
