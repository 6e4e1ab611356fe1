import type { TensorSpec } from './model-graph.ts'

/** A layer to which LoRAs can add, and the shape of what they add. */
export interface LoraLayer {
  readonly inputs: number
  readonly outputs: number
  /** 1 for a linear layer. */
  readonly kernel: number
}

/** The graph inputs of one layer: R is the sum of the ranks of all LoRAs in a run, and 0 where none of them adds to the layer. */
export interface LoraInputNames {
  /** float32 [R, inputs], or [R, inputs, kernel, kernel] for a convolution. */
  readonly down: string
  /** float32 [R, outputs]. */
  readonly up: string
  /** float32 [rows, 1, R]: how strongly each row takes each of the R. */
  readonly scale: string
}

/** Names of a layer's inputs. */
export function loraInputNames(layer: string): LoraInputNames {
  return { down: layer + DOWN, up: layer + UP, scale: layer + SCALE }
}

/** What a graph's inputs have for a layer: a name for the dimension R, which may be 0. */
export function loraInputs(layer: string, { inputs, outputs, kernel }: LoraLayer): readonly TensorSpec[] {
  const { down, up, scale } = loraInputNames(layer)
  const rank = RANK + layer
  return [
    { name: down, dtype: 'float32', dims: [rank, inputs, ...(kernel === 1 ? [] : [kernel, kernel])] },
    { name: up, dtype: 'float32', dims: [rank, outputs] },
    { name: scale, dtype: 'float32', dims: ['rows', 1, rank] },
  ]
}

/** The layers of a graph to which LoRAs can add, by name, told from its inputs. */
export function loraLayersOf(inputs: readonly TensorSpec[]): ReadonlyMap<string, LoraLayer> {
  const layers = new Map<string, LoraLayer>()
  const byName = new Map(inputs.map(input => [input.name, input]))
  for (const { name, dims } of inputs) {
    if (!name.endsWith(DOWN)) continue
    const layer = name.slice(0, -DOWN.length)
    const [, width = 0, kernel = 1] = dims as readonly [string, ...number[]]
    layers.set(layer, { inputs: width, kernel, outputs: Number(byName.get(layer + UP)?.dims[1]) })
  }
  return layers
}

/** Whether a dimension may be 0: nothing is added then. */
export function mayBeZero(dimension: number | string): boolean {
  return typeof dimension === 'string' && dimension.startsWith(RANK)
}

const DOWN = '.lora_down'
const UP = '.lora_up'
const SCALE = '.lora_scale'
const RANK = 'rank of '
