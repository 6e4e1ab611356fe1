import type { DecodedRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel, LoadedTextEncoder } from '../models/loaded-model.ts'
import type { PromptTokenizer } from '../prompts/prompt-tokenizer.ts'
import type { ChunkEmbeds, EmbedsCache } from './embeds-cache.ts'
import { hasGuidance } from './has-guidance.ts'
import { LoraFeeds } from './lora-feeds.ts'
import { textLoras } from './lora-uses.ts'
import type { NetworkLoraUse } from './lora-uses.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { Conditioning, PreparedRequest, PromptEmbeds } from './pipeline.ts'
import { groupRows } from './row-groups.ts'
import { timeIds } from './time-ids.ts'

/** What a prompt encoder works with. */
export interface PromptEncoderOptions {
  readonly model: LoadedModel
  /** One for each text encoder of the model. */
  readonly tokenizers: readonly Pick<PromptTokenizer, 'chunks'>[]
  readonly cache: EmbedsCache
  readonly runNetwork: NetworkRunner
  /** To a rank of LoRAs that the device is run with. */
  readonly roundRank: (rank: number) => number
}

/** A piece of a prompt that a text encoder takes in one row. */
interface Chunk {
  /** What its states depend on: model, text encoder, layers skipped, LoRAs and tokens. */
  readonly key: string
  /** Index of the text encoder. */
  readonly encoder: number
  readonly tokens: readonly number[]
  readonly clipSkip: number
  readonly loras: readonly NetworkLoraUse[]
}

/** A chunk that has to be encoded, and the generations that wait for it. */
interface MissingChunk extends Chunk {
  readonly generations: Set<string>
}

/** A prompt's chunks for each text encoder, as many for each. */
type ChunkedPrompt = readonly (readonly Chunk[])[]

interface ChunkedPrompts {
  readonly prompt: ChunkedPrompt
  readonly negativePrompt?: ChunkedPrompt | 'zeros'
}

/** A prompt's states, and its vector from text encoders that give one. */
type EncodedPrompt = Omit<PromptEmbeds, 'added'> & Pick<ChunkEmbeds, 'textEmbeds'>

/** Turns prompts into text encoder states: each distinct chunk is encoded once, many in one run. */
export class PromptEncoder {
  readonly #options: PromptEncoderOptions
  /** One for each text encoder. */
  readonly #loraFeeds: readonly LoraFeeds[]

  constructor(options: PromptEncoderOptions) {
    this.#options = options
    this.#loraFeeds = options.model.textEncoders.map(({ loraInputs }) => new LoraFeeds(loraInputs, options.roundRank))
  }

  /** Encodes the prompts of all requests. Throws an EngineError that names `clipSkip` when the model has too few layers. */
  async encode(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly Conditioning[]> {
    const prompts = requests.map((request) => this.#chunk(request))
    const embeds = new Map<string, ChunkEmbeds>()
    const missing = this.#lookUp(requests, prompts, embeds)
    for (const encoder of this.#options.model.textEncoders.keys()) {
      const chunks = missing.filter((chunk) => chunk.encoder === encoder)
      for (const indices of groupRows(chunks.map(({ loras }) => loras), maxRows)) {
        await this.#encodeChunks(encoder, indices.map((index) => chunks[index] as MissingChunk), embeds)
      }
    }
    return prompts.map(({ prompt, negativePrompt }, i) => {
      const { request } = requests[i] as PreparedRequest
      const promptEmbeds = this.#withTimeIds(this.#join(prompt, embeds), request, false)
      if (negativePrompt === undefined) return { promptEmbeds }
      const negative = negativePrompt === 'zeros' ? this.#zeros() : this.#join(negativePrompt, embeds)
      return { promptEmbeds, negativePromptEmbeds: this.#withTimeIds(negative, request, true) }
    })
  }

  /** Layers are skipped for the prompt only: the reference encodes the negative prompt with all of them. */
  #chunk({ request, parts }: PreparedRequest): ChunkedPrompts {
    const { model } = this.#options
    if (!model.textEncoders.every(({ session }) => session.outputs.some((output) => output.name === hiddenStates(request.clipSkip)))) {
      const message = `clipSkip: the text encoder of ${model.spec.air} has too few layers to skip ${request.clipSkip}`
      throw new EngineError('invalidParameter', message, { parameter: 'clipSkip' })
    }
    const chunksOf = (parameter: 'prompt' | 'negativePrompt', clipSkip: number): ChunkedPrompt =>
      this.#tokenize(request, parameter).map((chunks, encoder) => {
        const loras = textLoras(encoder, parts.loras)
        const lora = loras.map(({ air, weight }) => `${air}*${weight}`).join('+')
        return chunks.map((tokens) => {
          return { key: `${model.spec.air} ${encoder} ${clipSkip} ${lora} ${tokens.join(',')}`, encoder, tokens, clipSkip, loras }
        })
      })
    const prompt = chunksOf('prompt', request.clipSkip)
    if (!hasGuidance(request)) return { prompt }
    const isZeros = model.zerosEmptyPrompt && request.negativePrompt === ''
    return { prompt, negativePrompt: isZeros ? 'zeros' : chunksOf('negativePrompt', 0) }
  }

  /** A prompt's tokens for each text encoder; where one needs fewer chunks than another, it gets those of no text besides. */
  #tokenize(request: DecodedRequest, parameter: 'prompt' | 'negativePrompt'): readonly (readonly (readonly number[])[])[] {
    const { tokenizers } = this.#options
    const split = tokenizers.map((tokenizer) => tokenize(tokenizer, request, parameter))
    const most = Math.max(...split.map((chunks) => chunks.length))
    return split.map((chunks, encoder) => {
      if (chunks.length === most) return chunks
      const [blank] = (tokenizers[encoder] as (typeof tokenizers)[number]).chunks('')
      return [...chunks, ...new Array<readonly number[]>(most - chunks.length).fill(blank as readonly number[])]
    })
  }

  /** Puts what the cache has into `embeds` and gives the rest, each distinct chunk once. */
  #lookUp(
    requests: readonly PreparedRequest[],
    prompts: readonly ChunkedPrompts[],
    embeds: Map<string, ChunkEmbeds>,
  ): readonly MissingChunk[] {
    const missing = new Map<string, MissingChunk>()
    prompts.forEach(({ prompt, negativePrompt = 'zeros' }, i) => {
      const { id } = (requests[i] as PreparedRequest).request
      for (const chunk of [...prompt, ...(negativePrompt === 'zeros' ? [] : negativePrompt)].flat()) {
        const cached = embeds.get(chunk.key) ?? this.#options.cache.get(chunk.key)
        if (cached !== undefined) {
          embeds.set(chunk.key, cached)
          continue
        }
        const waiting = missing.get(chunk.key) ?? { ...chunk, generations: new Set() }
        waiting.generations.add(id)
        missing.set(chunk.key, waiting)
      }
    })
    return [...missing.values()]
  }

  async #encodeChunks(encoder: number, chunks: readonly MissingChunk[], embeds: Map<string, ChunkEmbeds>): Promise<void> {
    const { model, cache, runNetwork } = this.#options
    const { session, width } = model.textEncoders[encoder] as LoadedTextEncoder
    const length = (chunks[0] as MissingChunk).tokens.length
    const inputIds = BigInt64Array.from(chunks.flatMap((chunk) => chunk.tokens.map((token) => BigInt(token))))
    const feeds = {
      input_ids: { dtype: 'int64', dims: [chunks.length, length], data: inputIds },
      ...this.#loraFeeds[encoder]?.fill(chunks.map(({ loras }) => loras)),
    } as const
    const generations = [...new Set(chunks.flatMap((chunk) => [...chunk.generations]))]
    const outputs = await runNetwork(session, feeds, { stage: 'encodePrompt', rows: chunks.length, generations })
    const rowOf = (name: string, size: number, row: number): Float32Array =>
      outputData(outputs, name, 'float32', chunks.length * size).slice(row * size, (row + 1) * size)
    const isLast = encoder === model.textEncoders.length - 1
    chunks.forEach((chunk, row) => {
      const states = rowOf(hiddenStates(chunk.clipSkip), length * width, row)
      const encoded = { states, ...(model.added && isLast && { textEmbeds: rowOf('text_embeds', model.added.textEmbedsSize, row) }) }
      embeds.set(chunk.key, encoded)
      cache.set(chunk.key, encoded)
    })
  }

  /** Chunks one after the other, the text encoders' states side by side; the last encoder's vector of the first chunk. */
  #join(prompt: ChunkedPrompt, embeds: ReadonlyMap<string, ChunkEmbeds>): EncodedPrompt {
    const { textEncoders, contextSize } = this.#options.model
    const [first] = prompt as [readonly Chunk[]]
    const tokens = first.reduce((sum, chunk) => sum + chunk.tokens.length, 0)
    const { textEmbeds } = embeds.get((prompt.at(-1)?.[0] as Chunk).key) as ChunkEmbeds
    const whole = textEmbeds && { textEmbeds }
    if (prompt.length === 1 && first.length === 1) return { tokens, data: (embeds.get((first[0] as Chunk).key) as ChunkEmbeds).states, ...whole }
    const data = new Float32Array(tokens * contextSize)
    let column = 0
    prompt.forEach((chunks, encoder) => {
      const { width } = textEncoders[encoder] as LoadedTextEncoder
      let offset = column
      for (const { key } of chunks) {
        const { states } = embeds.get(key) as ChunkEmbeds
        for (let from = 0; from < states.length; from += width, offset += contextSize) data.set(states.subarray(from, from + width), offset)
      }
      column += width
    })
    return { tokens, data, ...whole }
  }

  /** What stands for no negative prompt where the model was used without one: attention to zeros adds nothing, however many. */
  #zeros(): EncodedPrompt {
    const { contextSize, added } = this.#options.model
    return { tokens: 1, data: new Float32Array(contextSize), ...(added && { textEmbeds: new Float32Array(added.textEmbedsSize) }) }
  }

  #withTimeIds({ textEmbeds, ...embeds }: EncodedPrompt, request: DecodedRequest, isNegative: boolean): PromptEmbeds {
    const { added } = this.#options.model
    return added && textEmbeds ? { ...embeds, added: { textEmbeds, timeIds: timeIds(request, added.timeIds, isNegative) } } : embeds
  }
}

function tokenize(tokenizer: Pick<PromptTokenizer, 'chunks'>, request: DecodedRequest, parameter: 'prompt' | 'negativePrompt') {
  try {
    return tokenizer.chunks(request[parameter])
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
  }
}

function hiddenStates(clipSkip: number): string {
  return `hidden_states_${clipSkip}`
}
