import type { Layers, Tokens } from '../graph/layers.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { NetworkWeights } from './network-weights.ts'

/** What the image projection of an IP-Adapter is, told from its weights. */
export type ImageProjection =
  /** One linear layer: the picture's vector becomes a few tokens. */
  | { readonly type: 'plain'; readonly tokens: number; readonly width: number; readonly inputWidth: number }
  /** IP-Adapter Plus: learnt queries look at the states of the picture's patches. */
  | {
    readonly type: 'resampler'; readonly tokens: number; readonly width: number; readonly inputWidth: number
    readonly hiddenWidth: number; readonly innerWidth: number; readonly feedForwardWidth: number; readonly layers: number
  }

const LAYER_NORM_EPSILON = 1e-5
/** The resampler's heads have a fixed width, so their number follows from that of its queries. */
const HEAD_WIDTH = 64

/** Tells an IP-Adapter's image projection; undefined for one of a kind that is not supported. */
export function readImageProjection(source: WeightSource): ImageProjection | undefined {
  const shape = (name: string): readonly number[] => source.get(name).shape
  if (source.has('proj.weight')) {
    const [outputs = 0, inputWidth = 0] = shape('proj.weight')
    const [width = 1] = shape('norm.weight')
    return { type: 'plain', tokens: outputs / width, width, inputWidth }
  }
  if (!source.has('latents') || !source.has('layers.0.0.to_q.weight')) return undefined
  const [, tokens = 0, hiddenWidth = 0] = shape('latents')
  let layers = 1
  while (source.has(`layers.${layers}.0.to_q.weight`)) layers++
  return {
    type: 'resampler', tokens, hiddenWidth, layers,
    inputWidth: shape('proj_in.weight')[1] ?? 0,
    width: shape('proj_out.weight')[0] ?? 0,
    innerWidth: shape('layers.0.0.to_q.weight')[0] ?? 0,
    feedForwardWidth: shape('layers.0.1.1.weight')[0] ?? 0,
  }
}

/**
 * The tokens that stand for a picture beside a prompt's.
 * @param features of the picture: its vector as one token, or what the resampler looks at, the states of its patches
 */
export function projectImage(layers: Layers, source: WeightSource, projection: ImageProjection, features: Tokens): Tokens {
  const weights = new NetworkWeights(source)
  return projection.type === 'plain' ? projectVector(layers, weights, projection, features) : resample(layers, weights, projection, features)
}

function projectVector(layers: Layers, weights: NetworkWeights, { tokens, width, inputWidth }: ImageProjection, embeds: Tokens): Tokens {
  const wide = layers.linear(embeds, weights.linear('proj', inputWidth, tokens * width))
  return layers.layerNorm(layers.tokens(wide.value, width), weights.norm('norm', width), LAYER_NORM_EPSILON)
}

type Resampler = Extract<ImageProjection, { type: 'resampler' }>

/** "Flamingo: a Visual Language Model for Few-Shot Learning" (Alayrac et al., 2022), the perceiver resampler. */
function resample(layers: Layers, weights: NetworkWeights, options: Resampler, states: Tokens): Tokens {
  const { tokens, hiddenWidth, inputWidth, width } = options
  const input = layers.linear(states, weights.linear('proj_in', inputWidth, hiddenWidth))
  let queries = layers.fixedTokens(weights.tensor('latents', [1, tokens, hiddenWidth]), hiddenWidth)
  for (let index = 0; index < options.layers; index++) queries = resamplerLayer(layers, weights.at(`layers.${index}`), input, queries, options)
  const out = layers.linear(queries, weights.linear('proj_out', hiddenWidth, width))
  return layers.layerNorm(out, weights.norm('norm_out', width), LAYER_NORM_EPSILON)
}

/** The queries look at the picture and at themselves; then a feed-forward. Each is added to what came in. */
function resamplerLayer(layers: Layers, weights: NetworkWeights, input: Tokens, queries: Tokens, options: Resampler): Tokens {
  const { hiddenWidth, innerWidth, feedForwardWidth } = options
  const [attention, forward] = [weights.at('0'), weights.at('1')]
  const seen = layers.layerNorm(input, attention.norm('norm1', hiddenWidth), LAYER_NORM_EPSILON)
  const normed = layers.layerNorm(queries, attention.norm('norm2', hiddenWidth), LAYER_NORM_EPSILON)
  const context = layers.joinTokens(seen, normed)
  const attended = layers.attention({
    query: layers.linear(normed, attention.matrix('to_q', hiddenWidth, innerWidth)),
    key: layers.linear(context, attention.matrix('to_k', hiddenWidth, innerWidth)),
    value: layers.linear(context, attention.matrix('to_v', hiddenWidth, innerWidth)),
    heads: innerWidth / HEAD_WIDTH,
  })
  const middle = layers.addTokens(layers.linear(attended, attention.matrix('to_out', innerWidth, hiddenWidth)), queries)
  const normedMiddle = layers.layerNorm(middle, forward.norm('0', hiddenWidth), LAYER_NORM_EPSILON)
  const wide = layers.activation(layers.linear(normedMiddle, forward.matrix('1', hiddenWidth, feedForwardWidth)), 'gelu')
  return layers.addTokens(layers.linear(wide, forward.matrix('3', feedForwardWidth, hiddenWidth)), middle)
}
