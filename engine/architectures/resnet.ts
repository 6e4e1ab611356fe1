import type { FeatureMap, Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'

export interface ResnetOptions {
  readonly outChannels: number
  readonly groups: number
  readonly epsilon: number
  /** silu of the time embedding; a VAE's blocks have none. */
  readonly time?: Tokens
}

/**
 * A residual block: norm, silu, conv, plus the time embedding, norm, silu, conv, plus the input
 * (through a 1×1 convolution where the number of channels changes).
 */
export function resnet(layers: Layers, weights: NetworkWeights, input: FeatureMap, options: ResnetOptions): FeatureMap {
  const { outChannels, groups, epsilon, time } = options
  const norm = { groups, epsilon, silu: true }
  let hidden = layers.groupNorm(input, weights.norm('norm1', input.channels), norm)
  hidden = layers.conv(hidden, weights.conv('conv1', input.channels, outChannels, 3))
  if (time) {
    const vector = layers.linear(time, weights.linear('time_emb_proj', time.width, outChannels))
    hidden = layers.addVector(hidden, vector)
  }
  hidden = layers.groupNorm(hidden, weights.norm('norm2', outChannels), norm)
  hidden = layers.conv(hidden, weights.conv('conv2', outChannels, outChannels, 3))
  if (input.channels === outChannels) return layers.add(hidden, input)
  return layers.add(hidden, layers.conv(input, weights.conv('conv_shortcut', input.channels, outChannels, 1)))
}
