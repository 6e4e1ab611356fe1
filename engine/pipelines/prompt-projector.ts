import type { LoadedPromptProjection } from '../models/loaded-model.ts'
import { LoraFeeds } from './lora-feeds.ts'
import { unetLoras } from './lora-uses.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { Conditioning, PreparedRequest, PromptEmbeds } from './pipeline.ts'
import { groupRows } from './row-groups.ts'

/** What a prompt projector works with. */
export interface PromptProjectorOptions {
  readonly projection: LoadedPromptProjection
  readonly contextSize: number
  readonly runNetwork: NetworkRunner
  /** To a rank of LoRAs that the device is run with. */
  readonly roundRank: (rank: number) => number
}

/** States that have to be projected, and the generations that wait for it. */
interface StatesRow {
  readonly embeds: PromptEmbeds
  readonly loras: readonly NetworkLoraUse[]
  readonly generations: Set<string>
}

/** Turns text encoder states into the keys and values of the UNet's attentions, once for all steps: each distinct prompt once, many in one run. */
export class PromptProjector {
  readonly #options: PromptProjectorOptions
  readonly #loraFeeds: LoraFeeds

  constructor(options: PromptProjectorOptions) {
    this.#options = options
    this.#loraFeeds = new LoraFeeds(options.projection.loraInputs, options.roundRank)
  }

  /** The conditionings of requests with what the UNet's attentions make of them; at most `maxRows` prompts in one run. */
  async project(requests: readonly PreparedRequest[], texts: readonly Conditioning[], maxRows: number): Promise<readonly Conditioning[]> {
    const rows = new Map<string, StatesRow>()
    const places = new Map<Float32Array, number>()
    const note = (embeds: PromptEmbeds, { request, parts }: PreparedRequest): string => {
      const loras = unetLoras(parts.loras).filter(({ lora }) => this.#options.projection.loraInputs.some(({ name }) => lora.layers.has(name)))
      // Texts that are encoded once share their states.
      const place = places.get(embeds.data) ?? places.size
      places.set(embeds.data, place)
      const key = `${place} ${loras.map(({ air, weight }) => `${air}*${weight}`).join('+')}`
      const row = rows.get(key) ?? { embeds, loras, generations: new Set() }
      row.generations.add(request.id)
      rows.set(key, row)
      return key
    }
    const keys = texts.map(({ promptEmbeds, negativePromptEmbeds }, i) => {
      const request = requests[i] as PreparedRequest
      return { prompt: note(promptEmbeds, request), negative: negativePromptEmbeds && note(negativePromptEmbeds, request) }
    })
    const projected = await this.#projectAll(rows, maxRows)
    return texts.map((text, i) => {
      const { prompt, negative } = keys[i] as (typeof keys)[number]
      const promptEmbeds = { ...text.promptEmbeds, projected: projected.get(prompt) as readonly Float32Array[] }
      if (text.negativePromptEmbeds === undefined || negative === undefined) return { ...text, promptEmbeds }
      return { ...text, promptEmbeds, negativePromptEmbeds: { ...text.negativePromptEmbeds, projected: projected.get(negative) as readonly Float32Array[] } }
    })
  }

  async #projectAll(rows: ReadonlyMap<string, StatesRow>, maxRows: number): Promise<ReadonlyMap<string, readonly Float32Array[]>> {
    const entries = [...rows]
    const projected = new Map<string, readonly Float32Array[]>()
    for (const indices of groupRows(entries.map(([, { loras }]) => loras), maxRows)) {
      const some = indices.map((index) => entries[index] as (typeof entries)[number])
      const results = await this.#projectRows(some.map(([, row]) => row))
      some.forEach(([key], index) => projected.set(key, results[index] as readonly Float32Array[]))
    }
    return projected
  }

  async #projectRows(rows: readonly StatesRow[]): Promise<readonly (readonly Float32Array[])[]> {
    const { projection: { session, tensors }, contextSize, runNetwork } = this.#options
    const count = rows.length
    const tokens = rows.reduce((most, { embeds }) => Math.max(most, embeds.tokens), 0)
    const data = new Float32Array(count * tokens * contextSize)
    rows.forEach(({ embeds }, row) => data.set(embeds.data, row * tokens * contextSize))
    const states = { dtype: 'float32', dims: [count, tokens, contextSize], data } as const
    const feeds = { encoder_hidden_states: states, ...this.#loraFeeds.fill(rows.map(({ loras }) => loras)) }
    const generations = [...new Set(rows.flatMap((row) => [...row.generations]))]
    const outputs = await runNetwork(session, feeds, { stage: 'projectPrompt', rows: count, generations })
    const parts = tensors.map(({ name, heads, width }) => ({ heads, width, given: outputData(outputs, name, 'float32', count * heads * tokens * width) }))
    return rows.map(({ embeds }, row) => parts.map(({ heads, width, given }) => {
      const own = given.subarray(row * heads * tokens * width, (row + 1) * heads * tokens * width)
      return withoutPadding(own, heads, embeds.tokens * width)
    }))
  }
}

/** The first `length` numbers of each head, in an array of their own. */
function withoutPadding(data: Float32Array, heads: number, length: number): Float32Array {
  const whole = data.length / heads
  const own = new Float32Array(heads * length)
  for (let head = 0; head < heads; head++) own.set(data.subarray(head * whole, head * whole + length), head * length)
  return own
}
