import { cast } from './common-nodes.ts'
import type { Value } from './graph-builder.ts'
import { activate, computedWeight } from './layer-context.ts'
import type { LayerContext } from './layer-context.ts'
import { integerLinear, integerTokens } from './integer-linear.ts'
import type { IntegerTokens } from './integer-linear.ts'
import { addLinearLora } from './lora-branch.ts'
import type { AttentionInputs, HeadTokens, LinearWeights, NormWeights, TokenLayers, Tokens } from './layers.ts'

/** A mask entry below this hides its token. */
const HIDDEN_BELOW = -1

/** A device's own operator for [rows · tokens, 2 · width] plus a bias [2 · width]: the first half times gelu of the second. */
export interface SplitGelu {
  canDo(width: number): boolean
  emit(value: Value, bias: Value, width: number): Value
}

/**
 * Layers over tokens, the same on every device but for the element type.
 *
 * Linear layers are Gemm on [rows · tokens, width], which multiplies by PyTorch's [out, in] matrices as they lie in the file, but for
 * those that compute in whole numbers.
 */
export function createTokenLayers(context: LayerContext, splitGelu?: SplitGelu): TokenLayers {
  const { graph, precision, rows } = context

  const tokens = (input: Value, width: number): Tokens =>
    ({ value: graph.node('Reshape', [cast(graph, input, precision), graph.integers(-1, width)]), width })

  const perRow = ({ value, width }: Tokens): Value => {
    const shape = graph.node('Concat', [rows, graph.integers(-1, width)], { attributes: { axis: { int: 0 } } })
    return graph.node('Reshape', [value, shape])
  }

  /** What several layers look at is rounded once. */
  const rounded = new WeakMap<Value, IntegerTokens>()
  const inIntegers = (input: Tokens): IntegerTokens => {
    const integers = rounded.get(input.value) ?? integerTokens(context, input)
    rounded.set(input.value, integers)
    return integers
  }

  const product = (input: Tokens, layer: LinearWeights): Value => {
    if (context.isInteger(layer.name)) return integerLinear(context, inIntegers(input), layer, input.width)
    const { weight, bias } = layer
    const matrix = computedWeight(context, weight, [weight.shape[0] ?? 0, input.width])
    return graph.node('Gemm', [input.value, matrix, ...(bias ? [computedWeight(context, bias)] : [])], { attributes: { transB: { int: 1 } } })
  }

  const linear = (input: Tokens, layer: LinearWeights): Tokens => {
    const output = { value: product(input, layer), width: layer.weight.shape[0] ?? 0 }
    return context.takesLora(layer.name) ? { ...output, value: addLinearLora(context, layer.name, input, output) } : output
  }

  return {
    tokens,
    linear,
    fromTokens: input => cast(graph, perRow(input), 'float32'),

    embedding(indices, table) {
      // Rows are cast after they are picked: a whole vocabulary in another type would stay in memory.
      return tokens(graph.node('Gather', [graph.weight(table), indices]), table.shape[1] ?? 0)
    },

    pick: (input, places) => tokens(graph.node('GatherND', [perRow(input), places], { attributes: { batch_dims: { int: 1 } } }), input.width),

    addTable: (input, table) => tokens(graph.node('Add', [perRow(input), computedWeight(context, table)]), input.width),

    fixedTokens(table, width) {
      const count = table.shape.reduce((product, dim) => product * dim, 1) / width
      const shape = graph.node('Concat', [rows, graph.integers(count, width)], { attributes: { axis: { int: 0 } } })
      return tokens(graph.node('Expand', [computedWeight(context, table, [1, count, width]), shape]), width)
    },

    joinTokens: (left, right) =>
      tokens(graph.node('Concat', [perRow(left), perRow(right)], { attributes: { axis: { int: 1 } } }), left.width),

    firstToken(input) {
      const first = graph.constant('int64', [], [0])
      return tokens(graph.node('Gather', [perRow(input), first], { attributes: { axis: { int: 1 } } }), input.width)
    },

    layerNorm({ value, width }, { weight, bias }: NormWeights, epsilon) {
      const normed = graph.node('LayerNormalization', [value, computedWeight(context, weight), computedWeight(context, bias)], {
        attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
      })
      return { value: normed, width }
    },

    activation: ({ value, width }, kind) => ({ value: activate(graph, value, kind), width }),

    addTokens: (left, right) => ({ value: graph.node('Add', [left.value, right.value]), width: left.width }),

    scaleTokens(input, factors) {
      const column = cast(graph, graph.node('Reshape', [factors, graph.integers(-1, 1, 1)]), precision)
      return tokens(graph.node('Mul', [perRow(input), column]), input.width)
    },

    geglu(input, weights) {
      const width = (weights.weight.shape[0] ?? 0) / 2
      if (splitGelu?.canDo(width)) {
        const plain = linear(input, { name: weights.name, weight: weights.weight })
        return { value: splitGelu.emit(plain.value, computedWeight(context, weights.bias), width), width }
      }
      const attributes = { axis: { int: -1 }, num_outputs: { int: 2 } }
      const [plain, gate] = graph.nodes('Split', [linear(input, weights).value], 2, { attributes })
      return { value: graph.node('Mul', [plain, activate(graph, gate as Value, 'gelu')]), width }
    },

    contextMask(bias) {
      const isPresent = graph.node('Greater', [bias, graph.constant('float32', [], [HIDDEN_BELOW])], { type: 'bool' })
      return { value: graph.node('Reshape', [cast(graph, isPresent, 'int32'), graph.integers(0, -1)]) }
    },

    splitHeads(input, heads) {
      const shape = graph.node('Concat', [rows, graph.integers(-1, heads, input.width / heads)], { attributes: { axis: { int: 0 } } })
      const byToken = graph.node('Reshape', [input.value, shape])
      return cast(graph, graph.node('Transpose', [byToken], { attributes: { perm: { ints: [0, 2, 1, 3] } } }), 'float32')
    },

    attention({ query, key, value, heads, mask, isCausal = false }: AttentionInputs) {
      const lookedAt = (input: Tokens | HeadTokens): Value => ('byHead' in input ? input.byHead : perRow(input))
      const inputs = [perRow(query), lookedAt(key), lookedAt(value), ...(mask ? [undefined, mask.value] : [])]
      const result = graph.node('com.microsoft.MultiHeadAttention', inputs, {
        attributes: { num_heads: { int: heads }, ...(isCausal && { unidirectional: { int: 1 } }) },
      })
      return tokens(result, query.width)
    },
  }
}
