import { cast, convAttributes } from '../../../engine/graph/common-nodes.ts'
import type { FusedNormOptions, FusedOperators } from '../../../engine/graph/fused-operators.ts'
import type { GraphBuilder, Value } from '../../../engine/graph/graph-builder.ts'

/**
 * CUDA's fused operators in terms of standard ones, written from their documentation (ONNX Runtime's ContribOperators.md),
 * so that the processor can compute what a GPU would.
 */
export function expandedOperators(graph: GraphBuilder, used: Set<string> = new Set()): FusedOperators {
  const transpose = (value: Value, ...perm: number[]): Value => graph.node('Transpose', [value], { attributes: { perm: { ints: perm } } })

  function norm(input: Value, gamma: Value, beta: Value, { groups, epsilon, silu }: FusedNormOptions): Value {
    if (gamma.type !== 'float32' || beta.type !== 'float32') throw new Error('the kernel wants gamma and beta in float32')
    const channelsFirst = transpose(cast(graph, input, 'float32'), 0, 3, 1, 2)
    const normed = graph.node('GroupNormalization', [channelsFirst, gamma, beta], {
      attributes: { num_groups: { int: groups }, epsilon: { float: epsilon } },
    })
    const result = silu ? graph.node('Mul', [normed, graph.node('Sigmoid', [normed])]) : normed
    return cast(graph, transpose(result, 0, 2, 3, 1), input.type)
  }

  return {
    nhwcConv(input, weight, bias, { kernel, stride, padding }) {
      used.add('NhwcConv')
      const operands = [transpose(input, 0, 3, 1, 2), transpose(weight, 0, 3, 1, 2), ...(bias ? [bias] : [])]
      return transpose(graph.node('Conv', operands, { attributes: convAttributes(kernel, stride, padding) }), 0, 2, 3, 1)
    },
    groupNorm(input, gamma, beta, options) {
      used.add('GroupNorm')
      return norm(input, gamma, beta, options)
    },
    skipGroupNorm(input, skip, gamma, beta, options) {
      used.add(options.wantsSum ? 'SkipGroupNorm' : 'SkipGroupNorm of a vector')
      const addend = options.wantsSum ? skip : graph.node('Unsqueeze', [skip, graph.integers(1, 2)])
      const sum = graph.node('Add', [input, addend])
      return { normed: norm(sum, gamma, beta, options), ...(options.wantsSum && { sum }) }
    },
    biasSplitGelu(input, bias) {
      used.add('BiasSplitGelu')
      const attributes = { axis: { int: 2 }, num_outputs: { int: 2 } }
      const [left, right] = graph.nodes('Split', [graph.node('Add', [input, bias])], 2, { attributes })
      return graph.node('Mul', [left, graph.node('Gelu', [right])])
    },
  }
}
