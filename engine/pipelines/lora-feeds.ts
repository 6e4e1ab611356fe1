import type { LoraInputs, NetworkLora } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'

/** A layer's weights of all LoRAs of a run, and how their ranks lie in it. */
interface Stack {
  readonly inputs: LoraInputs
  readonly down: Tensor
  readonly up: Tensor
  /** The rank of each LoRA, then what fills up to the whole; stacks of equal ranks share their scale. */
  readonly ranks: readonly number[]
  readonly rank: number
}

/**
 * The LoRA inputs of a network's runs. All LoRAs that any row of a run takes are stacked; a row's scale is 0 for those that
 * it does not take, so that rows with different LoRAs, or none, share the run.
 */
export class LoraFeeds {
  readonly #inputs: readonly LoraInputs[]
  readonly #roundRank: (rank: number) => number
  /** Those of the latest run; the next one mostly has the same. */
  #loras: readonly NetworkLora[] = []
  #stacks: readonly Stack[] | undefined
  #rows: readonly (readonly NetworkLoraUse[])[] | undefined
  #feeds: Readonly<Record<string, Tensor>> = {}

  /** @param roundRank to a rank that the device is run with */
  constructor(inputs: readonly LoraInputs[], roundRank: (rank: number) => number) {
    this.#inputs = inputs
    this.#roundRank = roundRank
  }

  /** The feeds of a run whose rows take these LoRAs; the same object as long as the rows' lists are the same ones. */
  fill(rows: readonly (readonly NetworkLoraUse[])[]): Readonly<Record<string, Tensor>> {
    if (this.#inputs.length === 0) return this.#feeds
    const isKept = rows.length === this.#rows?.length && rows.every((uses, row) => uses === this.#rows?.[row])
    if (!isKept) {
      this.#feeds = this.#feedsOf(rows)
      this.#rows = rows
    }
    return this.#feeds
  }

  #feedsOf(rows: readonly (readonly NetworkLoraUse[])[]): Readonly<Record<string, Tensor>> {
    const stacks = this.#stacksOf(distinct(rows))
    const scales = new Map<string, Tensor>()
    const feeds: Record<string, Tensor> = {}
    for (const { inputs, down, up, ranks, rank } of stacks) {
      const key = `${ranks.join()} ${rank}`
      const scale = scales.get(key) ?? this.#scaleOf(rows, ranks, rank)
      scales.set(key, scale)
      feeds[inputs.down] = down
      feeds[inputs.up] = up
      feeds[inputs.scale] = scale
    }
    return feeds
  }

  #stacksOf(loras: ReadonlySet<NetworkLora>): readonly Stack[] {
    if (this.#stacks && loras.size === this.#loras.length && this.#loras.every((lora) => loras.has(lora))) return this.#stacks
    this.#loras = [...loras]
    this.#stacks = this.#inputs.map((inputs) => stack(inputs, this.#loras, this.#roundRank))
    return this.#stacks
  }

  /** [rows, 1, rank]: a LoRA that a row takes twice counts twice. */
  #scaleOf(rows: readonly (readonly NetworkLoraUse[])[], ranks: readonly number[], rank: number): Tensor {
    const data = new Float32Array(rows.length * rank)
    rows.forEach((uses, row) => {
      let at = row * rank
      ranks.forEach((each, index) => {
        const weight = uses.reduce((sum, use) => (use.lora === this.#loras[index] ? sum + use.weight : sum), 0)
        data.fill(weight, at, at + each)
        at += each
      })
    })
    return { dtype: 'float32', dims: [rows.length, 1, rank], data }
  }
}

function distinct(rows: readonly (readonly NetworkLoraUse[])[]): ReadonlySet<NetworkLora> {
  return new Set(rows.flatMap((uses) => uses.map(({ lora }) => lora)))
}

function stack(inputs: LoraInputs, loras: readonly NetworkLora[], roundRank: (rank: number) => number): Stack {
  const factors = loras.map(({ layers }) => layers.get(inputs.name))
  const ranks = factors.map((each) => each?.rank ?? 0)
  const rank = roundRank(ranks.reduce((sum, each) => sum + each, 0))
  const downDims = [inputs.inputs, ...(inputs.kernel === 1 ? [] : [inputs.kernel, inputs.kernel])]
  const join = (part: 'down' | 'up', dims: readonly number[]): Tensor => {
    const parts = factors.flatMap((each) => each?.[part] ?? [])
    return { dtype: 'float32', dims: [rank, ...dims], data: joined(parts, dims.reduce((product, dim) => product * dim, rank)) }
  }
  return { inputs, ranks, rank, down: join('down', downDims), up: join('up', [inputs.outputs]) }
}

/** The parts one after the other, then zeros. A single part that is long enough is not copied. */
function joined(parts: readonly Float32Array[], length: number): Float32Array {
  const [first] = parts
  if (first && parts.length === 1 && first.length === length) return first
  const data = new Float32Array(length)
  let at = 0
  for (const part of parts) {
    data.set(part, at)
    at += part.length
  }
  return data
}
