import type { TensorSpec } from './model-graph.ts'

/** The shape of what LoRAs add to a layer. */
export interface LoraLayer {
  /** Of the layer, within its network. */
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  /** 1 for a linear layer. */
  readonly kernel: number
}

/**
 * The graph inputs of a layer that LoRAs can add to. R is the sum of the ranks of all LoRAs of a run that add to the layer,
 * and 0 where none does.
 */
export interface LoraInputs extends LoraLayer {
  /** float32 [R, inputs], or [R, inputs, kernel, kernel] where the kernel is larger than 1. */
  readonly down: string
  /** float32 [R, outputs]. */
  readonly up: string
  /** float32 [rows, 1, R]: how strongly each row takes each of the R. */
  readonly scale: string
}

const DOWN = '.lora_down'
const UP = '.lora_up'
const SCALE = '.lora_scale'
const RANK = 'rank of '

/** What a layer adds to its graph's inputs: down, up, scale. */
export function loraTensors({ name, inputs, outputs, kernel }: LoraLayer): readonly [TensorSpec, TensorSpec, TensorSpec] {
  const rank = RANK + name
  return [
    { name: name + DOWN, dtype: 'float32', dims: [rank, inputs, ...(kernel === 1 ? [] : [kernel, kernel])] },
    { name: name + UP, dtype: 'float32', dims: [rank, outputs] },
    { name: name + SCALE, dtype: 'float32', dims: ['rows', 1, rank] },
  ]
}

/** The layers that LoRAs can add to, told from a graph's inputs. */
export function loraInputsOf(inputs: readonly TensorSpec[]): readonly LoraInputs[] {
  const dimsOf = new Map(inputs.map(({ name, dims }) => [name, dims]))
  return inputs.filter(({ name }) => name.endsWith(DOWN)).map(({ name: down, dims }) => {
    const name = down.slice(0, -DOWN.length)
    const [, width = 0, kernel = 1] = dims as readonly [string, ...number[]]
    return { name, down, up: name + UP, scale: name + SCALE, inputs: width, outputs: Number(dimsOf.get(name + UP)?.[1]), kernel }
  })
}

/** Whether a dimension may be 0: nothing is added then. */
export function mayBeZero(dimension: number | string): boolean {
  return typeof dimension === 'string' && dimension.startsWith(RANK)
}
