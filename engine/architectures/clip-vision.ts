import type { GraphBuilder, Value } from '../graph/graph-builder.ts'
import type { Layers, Tokens } from '../graph/layers.ts'
import { clipEncoderLayer } from './clip-encoder-layer.ts'
import type { ClipVisionConfig } from './clip-vision-config.ts'
import type { NetworkWeights } from './network-weights.ts'

/** Channels of a picture. */
const CHANNELS = 3

/** What CLIP's vision encoder makes of pictures. */
export interface ClipVisionStates {
  /** Of every token, before the first layer and after each one; the class token comes first. */
  readonly hidden: readonly Tokens[]
  /** The class token's last state, normed: the picture as one vector. */
  readonly pooled: Tokens
}

/**
 * CLIP's vision encoder: a picture in square patches, each one token, behind a class token of its own.
 *
 * "Learning Transferable Visual Models From Natural Language Supervision" (Radford et al., 2021).
 *
 * @param pixels float32 [rows, 3, size, size]
 */
export function clipVision(
  graph: GraphBuilder, layers: Layers, weights: NetworkWeights, pixels: Value, config: ClipVisionConfig,
): ClipVisionStates {
  const { width, layerNormEpsilon } = config
  const embedded = embed(graph, layers, weights.at('embeddings'), pixels, config)
  // The misspelling is that of the published files.
  const hidden = [layers.layerNorm(embedded, weights.norm('pre_layrnorm', width), layerNormEpsilon)]
  for (let index = 0; index < config.layers; index++) {
    const name = `encoder.layers.${index}`
    const input = hidden[index] as Tokens
    hidden.push(graph.within(name, () => clipEncoderLayer(layers, weights.at(name), input, { ...config, isCausal: false })))
  }
  const classToken = layers.firstToken(hidden.at(-1) as Tokens)
  return { hidden, pooled: layers.layerNorm(classToken, weights.norm('post_layernorm', width), layerNormEpsilon) }
}

function embed(graph: GraphBuilder, layers: Layers, weights: NetworkWeights, pixels: Value, config: ClipVisionConfig): Tokens {
  const { width, imageSize, patchSize } = config
  const side = imageSize / patchSize
  const patches = layers.tokens(patchPixels(graph, pixels, side, patchSize), CHANNELS * patchSize ** 2)
  // A convolution whose stride is its kernel: each patch by itself through a linear layer.
  const kernel = weights.patchConv('patch_embedding', CHANNELS, width, patchSize)
  const classToken = layers.fixedTokens(weights.tensor('class_embedding', [width]), width)
  const tokens = layers.joinTokens(classToken, layers.linear(patches, kernel))
  return layers.addTable(tokens, weights.tensor('position_embedding.weight', [side ** 2 + 1, width]))
}

/** [rows, side, side, channels, patch, patch]: the pixels of each patch side by side. */
function patchPixels(graph: GraphBuilder, pixels: Value, side: number, patchSize: number): Value {
  const cut = graph.node('Reshape', [pixels, graph.integers(0, CHANNELS, side, patchSize, side, patchSize)])
  return graph.node('Transpose', [cut], { attributes: { perm: { ints: [0, 2, 4, 1, 3, 5] } } })
}
