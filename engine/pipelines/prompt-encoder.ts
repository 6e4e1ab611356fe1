import type { LoadedModel, LoadedTextEncoder } from '../models/loaded-model.ts'
import type { EncoderRow, PlanBlock, PromptPlan } from '../prompts/prompt-plan.ts'
import type { PromptTokenizer } from '../prompts/prompt-tokenizer.ts'
import { addWeighted } from './add-weighted.ts'
import type { ChunkEmbeds, EmbedsCache } from './embeds-cache.ts'
import { LoraFeeds } from './lora-feeds.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { Conditioning, PreparedRequest, PromptEmbeds } from './pipeline.ts'
import { hiddenStates, planPrompts } from './plan-prompts.ts'
import type { PlannedPrompt, PlannedPrompts } from './plan-prompts.ts'
import { groupRows } from './row-groups.ts'
import { rowKey, textEncoderFeeds } from './text-encoder-batch.ts'
import { timeIds } from './time-ids.ts'

/** What a prompt encoder works with. */
export interface PromptEncoderOptions {
  readonly model: LoadedModel
  /** One for each text encoder of the model. */
  readonly tokenizers: readonly PromptTokenizer[]
  readonly cache: EmbedsCache
  readonly runNetwork: NetworkRunner
  /** To a rank of LoRAs that the device is run with. */
  readonly roundRank: (rank: number) => number
}

/** A row that has to be encoded, and the generations that wait for it. */
interface MissingRow {
  /** What its states depend on: model, text encoder, layers skipped, LoRAs, tokens and what of them is hidden. */
  readonly key: string
  readonly row: EncoderRow
  /** Index of the text encoder. */
  readonly encoder: number
  readonly clipSkip: number
  readonly loras: readonly NetworkLoraUse[]
  readonly generations: Set<string>
}

/** A prompt's states, and its vector from text encoders that give one. */
type EncodedPrompt = Omit<PromptEmbeds, 'added'> & Pick<ChunkEmbeds, 'textEmbeds'>

/** Turns prompts into text encoder states: each distinct row is encoded once, many in one run. */
export class PromptEncoder {
  readonly #options: PromptEncoderOptions
  /** One for each text encoder. */
  readonly #loraFeeds: readonly LoraFeeds[]
  /** What stands for no negative prompt where the model was used without one: attention to zeros adds nothing, however many. */
  readonly #zeros: EncodedPrompt

  constructor(options: PromptEncoderOptions) {
    this.#options = options
    const { contextSize, added } = options.model
    this.#zeros = { tokens: 1, data: new Float32Array(contextSize), ...(added && { textEmbeds: new Float32Array(added.textEmbedsSize) }) }
    this.#loraFeeds = options.model.textEncoders.map(({ loraInputs }) => new LoraFeeds(loraInputs, options.roundRank))
  }

  /** Encodes the prompts of all requests. Throws an EngineError that names the field of what cannot be encoded. */
  async encode(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly Conditioning[]> {
    const prompts = requests.map((request) => planPrompts(request, this.#options))
    const embeds = new Map<string, ChunkEmbeds>()
    const missing = this.#lookUp(requests, prompts, embeds)
    for (const encoder of this.#options.model.textEncoders.keys()) {
      const rows = missing.filter((row) => row.encoder === encoder)
      for (const indices of groupRows(rows.map(({ loras }) => loras), maxRows)) {
        await this.#encodeRows(encoder, indices.map((index) => rows[index] as MissingRow), embeds)
      }
    }
    const joined = new Map<string, EncodedPrompt>()
    return prompts.map(({ prompt, negativePrompt }, i) => {
      const prepared = requests[i] as PreparedRequest
      const promptEmbeds = this.#withTimeIds(this.#joinOnce(prompt, embeds, joined), prepared, false)
      if (negativePrompt === undefined) return { promptEmbeds }
      const negative = negativePrompt === 'zeros' ? this.#zeros : this.#joinOnce(negativePrompt, embeds, joined)
      return { promptEmbeds, negativePromptEmbeds: this.#withTimeIds(negative, prepared, true) }
    })
  }

  /** Puts what the cache has into `embeds` and gives the rest, each distinct row once. */
  #lookUp(
    requests: readonly PreparedRequest[],
    prompts: readonly PlannedPrompts[],
    embeds: Map<string, ChunkEmbeds>,
  ): readonly MissingRow[] {
    const missing = new Map<string, MissingRow>()
    prompts.forEach(({ prompt, negativePrompt = 'zeros' }, i) => {
      const { id } = (requests[i] as PreparedRequest).request
      for (const planned of negativePrompt === 'zeros' ? [prompt] : [prompt, negativePrompt]) {
        planned.plans.forEach((plan, encoder) => {
          for (const row of this.#rowsOf(plan, encoder)) {
            const key = this.#keyOf(row, encoder, planned)
            const cached = embeds.get(key) ?? this.#options.cache.get(key)
            if (cached !== undefined) {
              embeds.set(key, cached)
              continue
            }
            const waiting = missing.get(key) ?? { key, row, encoder, clipSkip: planned.clipSkip, loras: planned.loras[encoder] ?? [], generations: new Set() }
            waiting.generations.add(id)
            missing.set(key, waiting)
          }
        })
      }
    })
    return [...missing.values()]
  }

  #rowsOf({ blocks, whole }: PromptPlan, encoder: number): readonly EncoderRow[] {
    const rows = blocks.flatMap((block) => block.map(({ row }) => row))
    return this.#givesWhole(encoder) ? [...rows, whole] : rows
  }

  /** Whether a text encoder gives the vector of the whole text too: the last one of models that take it. */
  #givesWhole(encoder: number): boolean {
    const { added, textEncoders } = this.#options.model
    return added !== undefined && encoder === textEncoders.length - 1
  }

  #keyOf(row: EncoderRow, encoder: number, { clipSkip, loras }: PlannedPrompt): string {
    const lora = loras[encoder]?.map(({ air, weight }) => `${air}*${weight}`).join('+')
    return `${this.#options.model.spec.air} ${encoder} ${clipSkip} ${lora} ${rowKey(row)}`
  }

  async #encodeRows(encoder: number, rows: readonly MissingRow[], embeds: Map<string, ChunkEmbeds>): Promise<void> {
    const { model, cache, runNetwork } = this.#options
    const { session, width } = model.textEncoders[encoder] as LoadedTextEncoder
    const feeds = { ...textEncoderFeeds(rows.map(({ row }) => row), width), ...this.#loraFeeds[encoder]?.fill(rows.map(({ loras }) => loras)) }
    const generations = [...new Set(rows.flatMap((row) => [...row.generations]))]
    const outputs = await runNetwork(session, feeds, { stage: 'encodePrompt', rows: rows.length, generations })
    const partOf = (name: string, size: number, index: number): Float32Array =>
      outputData(outputs, name, 'float32', rows.length * size).slice(index * size, (index + 1) * size)
    rows.forEach(({ key, row, clipSkip }, index) => {
      const states = partOf(hiddenStates(clipSkip), row.tokens.length * width, index)
      const whole = model.added && this.#givesWhole(encoder) && { textEmbeds: partOf('text_embeds', model.added.textEmbedsSize, index) }
      const encoded = { states, ...whole }
      embeds.set(key, encoded)
      cache.set(key, encoded)
    })
  }

  /** Equal prompts share their states, as the pictures of a task do, so that what is made of them is made once. */
  #joinOnce(planned: PlannedPrompt, embeds: ReadonlyMap<string, ChunkEmbeds>, joined: Map<string, EncodedPrompt>): EncodedPrompt {
    const parts = planned.plans.map(({ blocks, whole }, encoder) => {
      const keyOf = (row: EncoderRow): string => this.#keyOf(row, encoder, planned)
      return [keyOf(whole), ...blocks.map((block) => block.map(({ row, weights }) => `${keyOf(row)} * ${String(weights)}`).join(' + '))].join(' | ')
    })
    const key = parts.join(' || ')
    const encoded = joined.get(key) ?? this.#join(planned, embeds)
    joined.set(key, encoded)
    return encoded
  }

  /** Blocks one after the other, the text encoders' states side by side; the last encoder's vector of the whole text. */
  #join(planned: PlannedPrompt, embeds: ReadonlyMap<string, ChunkEmbeds>): EncodedPrompt {
    const { textEncoders, contextSize } = this.#options.model
    const embedsOf = (row: EncoderRow, encoder: number): ChunkEmbeds => embeds.get(this.#keyOf(row, encoder, planned)) as ChunkEmbeds
    const { plans } = planned
    const [{ blocks }] = plans as [PromptPlan]
    const length = (blocks[0]?.[0] as PlanBlock[number]).row.tokens.length
    const last = plans.length - 1
    const textEmbeds = this.#givesWhole(last) ? embedsOf((plans[last] as PromptPlan).whole, last).textEmbeds : undefined
    const encoded = { tokens: blocks.length * length, ...(textEmbeds && { textEmbeds }) }
    const plain = plans.length === 1 && blocks.length === 1 ? plainRow(blocks[0] as PlanBlock) : undefined
    if (plain) return { ...encoded, data: embedsOf(plain, 0).states }
    const data = new Float32Array(blocks.length * length * contextSize)
    let column = 0
    plans.forEach((plan, encoder) => {
      const { width } = textEncoders[encoder] as LoadedTextEncoder
      plan.blocks.forEach((block, place) => {
        const out = { data, offset: place * length * contextSize + column, stride: contextSize }
        for (const { row, weights } of block) addWeighted(out, embedsOf(row, encoder).states, width, weights)
      })
      column += width
    })
    return { ...encoded, data }
  }

  #withTimeIds({ textEmbeds, ...embeds }: EncodedPrompt, { request }: PreparedRequest, isNegative: boolean): PromptEmbeds {
    const { added } = this.#options.model
    return added && textEmbeds ? { ...embeds, added: { textEmbeds, timeIds: timeIds(request, added.timeIds, isNegative) } } : embeds
  }
}

/** The row whose states a block is, when it is nothing else. */
function plainRow(block: PlanBlock): EncoderRow | undefined {
  const [{ row, weights }] = block as [PlanBlock[number]]
  return block.length === 1 && weights === 1 ? row : undefined
}
