import type { WeightRef } from '../weights/weight-source.ts'
import type { Value } from './graph-builder.ts'

/** A picture-like activation of a fixed number of channels; its memory layout is the lowering's own matter. */
export interface FeatureMap {
  readonly channels: number
  /** The tensor in the lowering's layout; a sum that waits to be fused is computed by this call. */
  value(): Value
}

/** One vector of `width` numbers per token and batch row, as a matrix [rows · tokens, width]. */
export interface Tokens {
  readonly value: Value
  readonly width: number
}

/** Keys or values as attention reads them: float32 [rows, heads, tokens, width of a head]. */
export interface HeadTokens {
  readonly byHead: Value
}

/** `weight` [out, in] or [out, in, 1, 1]. */
export interface LinearWeights {
  /** Of the layer, within its network. */
  readonly name: string
  readonly weight: WeightRef
  readonly bias?: WeightRef
}

/** `weight` [out, in, kernel, kernel]. */
export interface ConvWeights {
  /** Of the layer, within its network. */
  readonly name: string
  readonly weight: WeightRef
  readonly bias?: WeightRef
}

/** Where a convolution adds zeros: half its kernel on every side, or that behind the last row and column alone. */
export type ConvPadding = 'even' | 'end'

export interface NormWeights {
  readonly weight: WeightRef
  readonly bias: WeightRef
}

export interface GroupNormOptions {
  readonly groups: number
  readonly epsilon: number
  /** Whether x · sigmoid(x) follows. */
  readonly silu: boolean
}

export interface AttentionInputs {
  readonly query: Tokens
  readonly key: Tokens | HeadTokens
  readonly value: Tokens | HeadTokens
  readonly heads: number
  /** From `contextMask`; nothing is masked without it. */
  readonly mask?: ContextMask
  /** Whether a token sees only itself and those before it. @default false */
  readonly isCausal?: boolean
}

/** Which tokens of a context each row has, in the form the lowering's attention wants it. */
export interface ContextMask {
  readonly value: Value
}

/** Point-wise functions between linear layers. */
export type Activation = 'silu' | 'gelu' | 'quickGelu'

/** Layers over feature maps; what differs most between devices. */
export interface FeatureLayers {
  /** Takes a graph input float32 [rows, channels, h, w]. */
  features(input: Value, channels: number): FeatureMap
  /** Back to float32 [rows, channels, h, w]. */
  toNchw(map: FeatureMap): Value
  /** uint8 [rows, h, w, channels], 0 to 255 for -1 to 1, as diffusers rounds: half to even after clamping. */
  toImage(map: FeatureMap): Value

  /** The same map, to be computed with a part at a time from here on where that saves memory; itself elsewhere. It has 8 rows of pixels or more. */
  inStrips(map: FeatureMap): FeatureMap

  /** Square kernel, zeros around the map. */
  conv(map: FeatureMap, weights: ConvWeights, stride?: 1 | 2, padding?: ConvPadding): FeatureMap
  groupNorm(map: FeatureMap, weights: NormWeights, options: GroupNormOptions): FeatureMap
  add(left: FeatureMap, right: FeatureMap): FeatureMap
  /** Adds a vector per row to every pixel. */
  addVector(map: FeatureMap, vector: Tokens): FeatureMap
  concat(left: FeatureMap, right: FeatureMap): FeatureMap
  /** x · sigmoid(x) where no norm goes before it. */
  silu(map: FeatureMap): FeatureMap
  /** Times a number per row, float32 [rows, 1, 1, 1]. */
  scale(map: FeatureMap, factors: Value): FeatureMap
  /** Twice the height and width, each pixel repeated. */
  upsample(map: FeatureMap): FeatureMap

  /** One token per pixel, row by row. */
  toTokens(map: FeatureMap): Tokens
  /** The mean over all pixels: one token for each row. */
  toMeans(map: FeatureMap): Tokens
  /** Back to the height and width of `like`. */
  toFeatures(tokens: Tokens, like: FeatureMap): FeatureMap
}

/** Layers over tokens. */
export interface TokenLayers {
  /** Takes a tensor [rows, tokens, width] or [rows, width] of any float type. */
  tokens(input: Value, width: number): Tokens
  /** Back to float32 [rows, tokens, width]. */
  fromTokens(tokens: Tokens): Value
  /** Rows of a table [entries, width] by int64 index. */
  embedding(indices: Value, table: WeightRef): Tokens
  /** Adds a table [tokens, width], the same for every row. */
  addTable(tokens: Tokens, table: WeightRef): Tokens
  /** Tokens that are weights, the same for every row. */
  fixedTokens(table: WeightRef, width: number): Tokens
  /** Each row's tokens of the one, then those of the other. */
  joinTokens(left: Tokens, right: Tokens): Tokens
  /** The first token of each row. */
  firstToken(tokens: Tokens): Tokens

  /** One token of each row: places int64 [rows, 1]. */
  pick(tokens: Tokens, places: Value): Tokens

  linear(tokens: Tokens, weights: LinearWeights): Tokens
  layerNorm(tokens: Tokens, weights: NormWeights, epsilon: number): Tokens
  activation(tokens: Tokens, kind: Activation): Tokens
  addTokens(left: Tokens, right: Tokens): Tokens
  /** Multiplies each row's tokens with its entry of float32 [rows]. */
  scaleTokens(tokens: Tokens, factors: Value): Tokens
  /** A linear layer with bias to twice the width: the first half times gelu of the second. */
  geglu(tokens: Tokens, weights: Required<LinearWeights>): Tokens
  /** From float32 [rows, 1, 1, tokens]: 0, or a large negative number for tokens that a row does not have. */
  contextMask(bias: Value): ContextMask
  /** Keys or values for a graph that is handed them: float32 [rows, heads, tokens, width of a head]. */
  splitHeads(tokens: Tokens, heads: number): Value
  /** softmax(q · kᵀ / √(width of a head)) · v. */
  attention(inputs: AttentionInputs): Tokens
}

/**
 * The layers that networks are drawn with. Each lowering implements them in the element type, memory layout and
 * operators that suit its device, so that a network's description knows none of these.
 */
export interface Layers extends FeatureLayers, TokenLayers {
  /**
   * Whether a network that runs many times over one context is handed the context's keys and values, which a graph of their own
   * makes once: where inputs lie in the memory that is computed in. Where each run copies them, they are made again instead.
   */
  readonly takesKeysAndValues: boolean
}
