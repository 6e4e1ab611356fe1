import type { Activation, ContextMask, Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'

/** What CLIP's text and vision encoders choose of their layers. */
export interface ClipEncoderLayerOptions {
  readonly width: number
  readonly heads: number
  readonly feedForwardWidth: number
  readonly activation: Activation
  readonly layerNormEpsilon: number
  /** Whether a token sees only itself and those before it, as text does. */
  readonly isCausal: boolean
  /** Which tokens may be looked at; all without it. */
  readonly mask?: ContextMask
}

/** One layer of CLIP's encoders: self-attention and feed-forward, each after a norm and added to what came in. */
export function clipEncoderLayer(layers: Layers, weights: NetworkWeights, input: Tokens, options: ClipEncoderLayerOptions): Tokens {
  const { width, heads, feedForwardWidth, activation, layerNormEpsilon, isCausal, mask } = options
  const attention = weights.at('self_attn')
  const normed = layers.layerNorm(input, weights.norm('layer_norm1', width), layerNormEpsilon)
  const attended = layers.attention({
    query: layers.linear(normed, attention.linear('q_proj', width, width)),
    key: layers.linear(normed, attention.linear('k_proj', width, width)),
    value: layers.linear(normed, attention.linear('v_proj', width, width)),
    heads,
    isCausal,
    ...(mask && { mask }),
  })
  const middle = layers.addTokens(input, layers.linear(attended, attention.linear('out_proj', width, width)))

  const normedMiddle = layers.layerNorm(middle, weights.norm('layer_norm2', width), layerNormEpsilon)
  const wide = layers.linear(normedMiddle, weights.linear('mlp.fc1', width, feedForwardWidth))
  const narrow = layers.linear(layers.activation(wide, activation), weights.linear('mlp.fc2', feedForwardWidth, width))
  return layers.addTokens(middle, narrow)
}
