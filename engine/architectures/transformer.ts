import type { ContextMask, FeatureMap, HeadTokens, Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'

/** What an attention looks at. */
export interface KeysAndValues {
  readonly key: Tokens | HeadTokens
  readonly value: Tokens | HeadTokens
}

/** What the pixels attend to: what each attention makes of the prompt's states, and which of them each row has. */
export interface Context {
  readonly look: (weights: NetworkWeights, width: number, heads: number) => KeysAndValues
  readonly mask: ContextMask
  /** What else the pixels attend to. */
  readonly beside?: ContextAttention | undefined
}

/** Attention to more than the context, with the same queries: gives what is to stand in place of `attended`. */
export type ContextAttention = (
  attention: { readonly name: string; readonly query: Tokens; readonly heads: number }, attended: Tokens,
) => Tokens

export interface TransformerOptions {
  readonly depth: number
  readonly heads: number
  readonly groups: number
  /** Whether proj_in and proj_out are stored as linear layers; as 1×1 convolutions otherwise, which are the same thing. */
  readonly hasLinearProjection: boolean
}

const GROUP_NORM_EPSILON = 1e-6
const LAYER_NORM_EPSILON = 1e-5
const FEED_FORWARD_FACTOR = 4

/** A stack of transformer blocks over the pixels of a feature map, added to it. */
export function transformer(
  layers: Layers, weights: NetworkWeights, input: FeatureMap, context: Context, options: TransformerOptions,
): FeatureMap {
  const { depth, heads, groups } = options
  const width = input.channels
  const normed = layers.groupNorm(input, weights.norm('norm', width), { groups, epsilon: GROUP_NORM_EPSILON, silu: false })
  let tokens = layers.linear(layers.toTokens(normed), projection(weights, 'proj_in', width, options))
  for (let index = 0; index < depth; index++) {
    tokens = transformerBlock(layers, weights.at(`transformer_blocks.${index}`), tokens, context, heads)
  }
  tokens = layers.linear(tokens, projection(weights, 'proj_out', width, options))
  return layers.add(layers.toFeatures(tokens, input), input)
}

/** Self-attention, attention to the context, feed-forward; each after a norm and added to what came in. */
function transformerBlock(layers: Layers, weights: NetworkWeights, input: Tokens, context: Context, heads: number): Tokens {
  const { width } = input
  const norm = (name: string, tokens: Tokens): Tokens => layers.layerNorm(tokens, weights.norm(name, width), LAYER_NORM_EPSILON)

  const normed = norm('norm1', input)
  const self = { look: (own: NetworkWeights) => projectStates(layers, own, normed, width) }
  const seen = layers.addTokens(attention(layers, weights.at('attn1'), normed, self, heads), input)
  const told = layers.addTokens(attention(layers, weights.at('attn2'), norm('norm2', seen), context, heads), seen)
  const wide = layers.geglu(norm('norm3', told), weights.linear('ff.net.0.proj', width, 2 * FEED_FORWARD_FACTOR * width))
  return layers.addTokens(layers.linear(wide, weights.linear('ff.net.2', FEED_FORWARD_FACTOR * width, width)), told)
}

function attention(
  layers: Layers, weights: NetworkWeights, tokens: Tokens, { look, mask, beside }: Pick<Context, 'look'> & Partial<Context>, heads: number,
): Tokens {
  const { width } = tokens
  const query = layers.linear(tokens, weights.matrix('to_q', width, width))
  const attended = layers.attention({ query, ...look(weights, width, heads), heads, ...(mask && { mask }) })
  const found = beside ? beside({ name: weights.name, query, heads }, attended) : attended
  return layers.linear(found, weights.linear('to_out.0', width, width))
}

/** The keys and values of states, for an attention of this width. */
export function projectStates(layers: Layers, weights: NetworkWeights, states: Tokens, width: number): { readonly key: Tokens; readonly value: Tokens } {
  return {
    key: layers.linear(states, weights.matrix('to_k', states.width, width)),
    value: layers.linear(states, weights.matrix('to_v', states.width, width)),
  }
}

function projection(weights: NetworkWeights, name: string, width: number, { hasLinearProjection }: TransformerOptions) {
  return hasLinearProjection ? weights.linear(name, width, width) : weights.conv(name, width, width, 1)
}
