import { cast } from './common-nodes.ts'
import type { Value } from './graph-builder.ts'
import type { LayerContext } from './layer-context.ts'
import type { Tokens } from './layers.ts'
import { loraTensors } from './lora-inputs.ts'
import type { LoraLayer } from './lora-inputs.ts'

/** A layer's LoRA inputs inside the graph, in the type computed with. */
interface LoraValues {
  readonly down: Value
  readonly up: Value
  readonly scale: Value
}

/**
 * A linear layer's output plus what LoRAs add: y + ((x · downᵀ) ∘ scale) · up, where the scale is each row's own.
 * ("LoRA: Low-Rank Adaptation of Large Language Models", Hu et al., 2021.)
 */
export function addLinearLora(context: LayerContext, name: string, input: Tokens, output: Tokens): Value {
  const { graph, rows } = context
  const { down, up, scale } = declare(context, { name, inputs: input.width, outputs: output.width, kernel: 1 })
  const shape = graph.node('Concat', [rows, graph.integers(-1, input.width)], { attributes: { axis: { int: 0 } } })
  const perRow = graph.node('Reshape', [input.value, shape])
  const narrow = graph.node('com.microsoft.FusedMatMul', [perRow, down], { attributes: { transB: { int: 1 } } })
  const wide = graph.node('MatMul', [graph.node('Mul', [narrow, scale]), up])
  return graph.node('Add', [output.value, graph.node('Reshape', [wide, graph.integers(-1, output.width)])])
}

/** A device's own form of the two steps of a convolution's branch. */
export interface LoraConvSteps {
  /** The convolution itself, with the down weights [R, inputs, kernel, kernel], scaled by [rows, 1, R]. */
  narrow(down: Value, scale: Value): Value
  /** From R channels to all, by the up weights [R, outputs]. */
  widen(narrow: Value, up: Value): Value
}

/** A convolution's output plus what LoRAs add: down with the layer's own kernel, scaled for each row, up with a kernel of 1. */
export function addConvLora(context: LayerContext, layer: LoraLayer, output: Value, steps: LoraConvSteps): Value {
  const { down, up, scale } = declare(context, layer)
  return context.graph.node('Add', [output, steps.widen(steps.narrow(down, scale), up)])
}

function declare({ graph, precision }: LayerContext, layer: LoraLayer): LoraValues {
  const [down, up, scale] = loraTensors(layer).map(({ name, dtype, dims }) => cast(graph, graph.input(name, dtype, dims), precision))
  return { down, up, scale } as LoraValues
}
