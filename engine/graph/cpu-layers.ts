import type { WeightRef } from '../weights/weight-source.ts'
import { cast, imageBytes, nearest } from './common-nodes.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import type {
  Activation, AttentionInputs, ContextMask, ConvWeights, FeatureMap, GroupNormOptions, Layers, LinearWeights, NormWeights, Tokens,
} from './layers.ts'

const QUICK_GELU_ALPHA = 1.702
/** A mask entry below this hides its token. */
const HIDDEN_BELOW = -1

/**
 * Layers for the processor: float32, pictures as [rows, channels, height, width].
 *
 * Linear layers are Gemm on [rows · tokens, width], which multiplies by PyTorch's [out, in] matrices as they lie in the
 * file. SiLU is QuickGelu with a factor of 1, which is one pass instead of two.
 */
export class CpuLayers implements Layers {
  readonly #graph: GraphBuilder
  /** int64 [1]: the number of batch rows. */
  readonly #rows: Value

  /** @param input any of the graph's inputs: its first dimension is the number of rows */
  constructor(graph: GraphBuilder, input: Value) {
    this.#graph = graph
    this.#rows = graph.node('Shape', [input], { type: 'int64', attributes: { start: { int: 0 }, end: { int: 1 } } })
  }

  features(input: Value, channels: number): FeatureMap {
    return feature(input, channels)
  }

  toNchw(map: FeatureMap): Value {
    return map.value()
  }

  toImage(map: FeatureMap): Value {
    const bytes = imageBytes(this.#graph, map.value())
    return this.#graph.node('Transpose', [bytes], { attributes: { perm: { ints: [0, 2, 3, 1] } } })
  }

  conv(map: FeatureMap, { weight, bias }: ConvWeights, stride = 1): FeatureMap {
    const [out = 0, , kernel = 1] = weight.shape
    const pad = (kernel - 1) / 2
    const value = this.#graph.node('Conv', [map.value(), this.#weight(weight), bias && this.#weight(bias)], {
      attributes: {
        kernel_shape: { ints: [kernel, kernel] }, strides: { ints: [stride, stride] }, pads: { ints: [pad, pad, pad, pad] },
      },
    })
    return feature(value, out)
  }

  groupNorm(map: FeatureMap, { weight, bias }: NormWeights, { groups, epsilon, silu }: GroupNormOptions): FeatureMap {
    const graph = this.#graph
    const input = map.value()
    const perChannel = [map.channels, 1, 1]
    const grouped = graph.node('Reshape', [input, graph.integers(0, groups, -1)])
    const [ones, zeros] = [1, 0].map(number => graph.constant('float32', [groups], Array.from({ length: groups }, () => number)))
    const normed = graph.node('InstanceNormalization', [grouped, ones, zeros], { attributes: { epsilon: { float: epsilon } } })
    const restored = graph.node('Reshape', [normed, graph.node('Shape', [input], { type: 'int64' })])
    const scaled = graph.node('Mul', [restored, this.#weight(weight, perChannel)])
    const shifted = graph.node('Add', [scaled, this.#weight(bias, perChannel)])
    return feature(silu ? this.#activate(shifted, 'silu') : shifted, map.channels)
  }

  add(left: FeatureMap, right: FeatureMap): FeatureMap {
    return feature(this.#graph.node('Add', [left.value(), right.value()]), left.channels)
  }

  addVector(map: FeatureMap, vector: Tokens): FeatureMap {
    const shape = this.#graph.integers(0, vector.width, 1, 1)
    return feature(this.#graph.node('Add', [map.value(), this.#graph.node('Reshape', [vector.value, shape])]), map.channels)
  }

  concat(left: FeatureMap, right: FeatureMap): FeatureMap {
    const value = this.#graph.node('Concat', [left.value(), right.value()], { attributes: { axis: { int: 1 } } })
    return feature(value, left.channels + right.channels)
  }

  upsample(map: FeatureMap): FeatureMap {
    const scales = this.#graph.constant('float32', [4], [1, 1, 2, 2])
    return feature(nearest(this.#graph, map.value(), scales), map.channels)
  }

  unscale(input: Value, divisor: number, shift: number): Value {
    const divided = this.#graph.node('Div', [input, this.#graph.constant('float32', [], [divisor])])
    return shift === 0 ? divided : this.#graph.node('Add', [divided, this.#graph.constant('float32', [], [shift])])
  }

  toTokens(map: FeatureMap): Tokens {
    const channelsLast = this.#graph.node('Transpose', [map.value()], { attributes: { perm: { ints: [0, 2, 3, 1] } } })
    return this.tokens(channelsLast, map.channels)
  }

  toFeatures(tokens: Tokens, like: FeatureMap): FeatureMap {
    const graph = this.#graph
    const size = graph.node('Shape', [like.value()], { type: 'int64', attributes: { start: { int: 2 }, end: { int: 4 } } })
    const shape = graph.node('Concat', [this.#rows, size, graph.integers(tokens.width)], { attributes: { axis: { int: 0 } } })
    const channelsLast = graph.node('Reshape', [tokens.value, shape])
    return feature(graph.node('Transpose', [channelsLast], { attributes: { perm: { ints: [0, 3, 1, 2] } } }), tokens.width)
  }

  tokens(input: Value, width: number): Tokens {
    return { value: this.#graph.node('Reshape', [this.#float(input), this.#graph.integers(-1, width)]), width }
  }

  fromTokens(tokens: Tokens): Value {
    const shape = this.#graph.node('Concat', [this.#rows, this.#graph.integers(-1, tokens.width)], { attributes: { axis: { int: 0 } } })
    return this.#graph.node('Reshape', [tokens.value, shape])
  }

  embedding(indices: Value, table: WeightRef): Tokens {
    const stored = this.#graph.weight(table)
    // Rows are cast after they are picked: a whole vocabulary in float32 would stay in memory.
    const picked = this.#graph.node('Gather', [stored, indices])
    return this.tokens(picked, table.shape[1] ?? 0)
  }

  addTable(tokens: Tokens, table: WeightRef): Tokens {
    const sum = this.#graph.node('Add', [this.fromTokens(tokens), this.#weight(table)])
    return this.tokens(sum, tokens.width)
  }

  linear(tokens: Tokens, { weight, bias }: LinearWeights): Tokens {
    const [out = 0, width = 0] = weight.shape
    const value = this.#graph.node('Gemm', [tokens.value, this.#weight(weight, [out, width]), bias && this.#weight(bias)], {
      attributes: { transB: { int: 1 } },
    })
    return { value, width: out }
  }

  layerNorm(tokens: Tokens, { weight, bias }: NormWeights, epsilon: number): Tokens {
    const value = this.#graph.node('LayerNormalization', [tokens.value, this.#weight(weight), this.#weight(bias)], {
      attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
    })
    return { value, width: tokens.width }
  }

  activation(tokens: Tokens, kind: Activation): Tokens {
    return { value: this.#activate(tokens.value, kind), width: tokens.width }
  }

  addTokens(left: Tokens, right: Tokens): Tokens {
    return { value: this.#graph.node('Add', [left.value, right.value]), width: left.width }
  }

  geglu(tokens: Tokens, weights: LinearWeights): Tokens {
    const { value, width } = this.linear(tokens, weights)
    const [plain, gate] = this.#graph.nodes('Split', [value], 2, { attributes: { axis: { int: -1 }, num_outputs: { int: 2 } } })
    const product = this.#graph.node('Mul', [plain, this.#activate(gate as Value, 'gelu')])
    return { value: product, width: width / 2 }
  }

  contextMask(bias: Value): ContextMask {
    const graph = this.#graph
    const isPresent = graph.node('Greater', [bias, graph.constant('float32', [], [HIDDEN_BELOW])], { type: 'bool' })
    const numbers = cast(graph, isPresent, 'int32')
    return { value: graph.node('Reshape', [numbers, graph.integers(0, -1)]) }
  }

  attention({ query, key, value, heads, mask, isCausal = false }: AttentionInputs): Tokens {
    const inputs = [this.fromTokens(query), this.fromTokens(key), this.fromTokens(value), undefined, mask?.value]
    const result = this.#graph.node('com.microsoft.MultiHeadAttention', mask ? inputs : inputs.slice(0, 3), {
      attributes: { num_heads: { int: heads }, ...(isCausal && { unidirectional: { int: 1 } }) },
    })
    return this.tokens(result, value.width)
  }

  #activate(value: Value, kind: Activation): Value {
    if (kind === 'gelu') return this.#graph.node('Gelu', [value])
    const alpha = kind === 'silu' ? 1 : QUICK_GELU_ALPHA
    return this.#graph.node('com.microsoft.QuickGelu', [value], { attributes: { alpha: { float: alpha } } })
  }

  /** A weight in float32; the runtime folds the cast of narrower files when it loads the graph. */
  #weight(ref: WeightRef, shape?: readonly number[]): Value {
    return this.#float(this.#graph.weight(ref, shape))
  }

  #float(value: Value): Value {
    return cast(this.#graph, value, 'float32')
  }
}

function feature(value: Value, channels: number): FeatureMap {
  return { channels, value: () => value }
}
