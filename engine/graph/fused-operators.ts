import { convAttributes } from './common-nodes.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import type { ConvPadding } from './layers.ts'

export interface FusedConvOptions {
  readonly kernel: number
  readonly stride: number
  readonly padding: ConvPadding
}

export interface FusedNormOptions {
  readonly groups: number
  readonly epsilon: number
  readonly silu: boolean
}

export interface FusedSumNormOptions extends FusedNormOptions {
  readonly wantsSum: boolean
}

/**
 * The operators that only the runtime's CUDA provider computes. They stand apart so that a test can put standard
 * operators in their place and prove the lowering without a GPU.
 */
export interface FusedOperators {
  /** input [N, H, W, C], weight [M, kH, kW, C], bias [M]. */
  nhwcConv(input: Value, weight: Value, bias: Value | undefined, options: FusedConvOptions): Value
  /** input [N, H, W, C]; gamma and beta [C] in float32. */
  groupNorm(input: Value, gamma: Value, beta: Value, options: FusedNormOptions): Value
  /** The norm of input + skip, and the sum itself where it is wanted; skip [N, H, W, C] or, for every pixel the same, [N, C]. */
  skipGroupNorm(input: Value, skip: Value, gamma: Value, beta: Value, options: FusedSumNormOptions): { normed: Value; sum?: Value }
  /** input [N, S, D] + bias [D], the first half times gelu of the second. */
  biasSplitGelu(input: Value, bias: Value): Value
}

/** Widths of the whole input that BiasSplitGelu has kernels for. */
export const SPLIT_GELU_WIDTHS: readonly number[] = [2560, 5120, 10240]

/** Whether GroupNorm's kernel can do it: it reads channels in pairs and keeps 32 groups. */
export function hasGroupNormKernel(channels: number, groups: number): boolean {
  return groups <= 32 && (channels / groups) % 2 === 0
}

/** The operators as the CUDA provider has them. */
export function contribOperators(graph: GraphBuilder): FusedOperators {
  const normAttributes = ({ groups, epsilon, silu }: FusedNormOptions) => ({
    groups: { int: groups }, epsilon: { float: epsilon }, activation: { int: silu ? 1 : 0 }, channels_last: { int: 1 },
  })
  return {
    nhwcConv: (input, weight, bias, { kernel, stride, padding }) =>
      graph.node('com.microsoft.NhwcConv', bias ? [input, weight, bias] : [input, weight], { attributes: convAttributes(kernel, stride, padding) }),
    groupNorm: (input, gamma, beta, options) =>
      graph.node('com.microsoft.GroupNorm', [input, gamma, beta], { attributes: normAttributes(options) }),
    skipGroupNorm(input, skip, gamma, beta, options) {
      const attributes = normAttributes(options)
      const results = graph.nodes('com.microsoft.SkipGroupNorm', [input, gamma, beta, skip], options.wantsSum ? 2 : 1, { attributes })
      const [normed, sum] = results as [Value, Value?]
      return sum ? { normed, sum } : { normed }
    },
    biasSplitGelu: (input, bias) => graph.node('com.microsoft.BiasSplitGelu', [input, bias]),
  }
}
