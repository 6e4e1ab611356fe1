import type { GenerationRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import type { EmbedsCache } from './embeds-cache.ts'
import { hasGuidance } from './has-guidance.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { Conditioning, PromptEmbeds } from './pipeline.ts'

/** What the encoder needs of a tokenizer. */
export interface PromptTokenizer {
  /** Splits a prompt into chunks of token ids, each with its start and end token and padded to the same length; at least one chunk. */
  chunks(prompt: string): readonly (readonly number[])[]
}

/** What a prompt encoder works with. */
export interface PromptEncoderOptions {
  readonly model: LoadedModel
  readonly tokenizer: PromptTokenizer
  readonly cache: EmbedsCache
  readonly runNetwork: NetworkRunner
}

/** One chunk of text that is not in the cache yet. */
interface MissingChunk {
  readonly tokens: readonly number[]
  readonly clipSkip: number
  /** Generations that wait for it. */
  readonly generations: string[]
}

/** Turns prompts into text encoder states: each distinct chunk is encoded once, many in one run. */
export class PromptEncoder {
  readonly #options: PromptEncoderOptions

  constructor(options: PromptEncoderOptions) {
    this.#options = options
  }

  /** Encodes the prompts of all requests. Throws an EngineError that names `clipSkip` when the model has too few layers. */
  async encode(requests: readonly GenerationRequest[], maxRows: number): Promise<readonly Conditioning[]> {
    const prompts = requests.map((request) => this.#tokenize(request))
    const embeds = new Map<string, Float32Array>()
    const missing = this.#lookUp(requests, prompts, embeds)
    const keys = [...missing.keys()]
    for (let from = 0; from < keys.length; from += maxRows) {
      await this.#encodeChunks(keys.slice(from, from + maxRows), missing, embeds)
    }
    return requests.map((request, i) => {
      const texts = prompts[i] as TokenizedPrompts
      const promptEmbeds = this.#join(texts.prompt, request.clipSkip, embeds)
      if (texts.negativePrompt === undefined) return { promptEmbeds }
      return { promptEmbeds, negativePromptEmbeds: this.#join(texts.negativePrompt, request.clipSkip, embeds) }
    })
  }

  #tokenize(request: GenerationRequest): TokenizedPrompts {
    const { model, tokenizer } = this.#options
    if (!model.textEncoder.outputs.some((output) => output.name === hiddenStates(request.clipSkip))) {
      const message = `clipSkip: the text encoder of ${model.spec.air} has too few layers to skip ${request.clipSkip}`
      throw new EngineError('invalidParameter', message, { parameter: 'clipSkip' })
    }
    const prompt = tokenizer.chunks(request.prompt)
    return hasGuidance(request) ? { prompt, negativePrompt: tokenizer.chunks(request.negativePrompt) } : { prompt }
  }

  /** Puts what the cache has into `embeds` and gives the rest, each distinct chunk once. */
  #lookUp(requests: readonly GenerationRequest[], prompts: readonly TokenizedPrompts[], embeds: Map<string, Float32Array>) {
    const missing = new Map<string, MissingChunk>()
    requests.forEach(({ id, clipSkip }, i) => {
      const { prompt, negativePrompt = [] } = prompts[i] as TokenizedPrompts
      for (const tokens of [...prompt, ...negativePrompt]) {
        const key = this.#key(tokens, clipSkip)
        const cached = embeds.get(key) ?? this.#options.cache.get(key)
        if (cached !== undefined) {
          embeds.set(key, cached)
          continue
        }
        const chunk = missing.get(key) ?? { tokens, clipSkip, generations: [] }
        if (!chunk.generations.includes(id)) chunk.generations.push(id)
        missing.set(key, chunk)
      }
    })
    return missing
  }

  async #encodeChunks(keys: readonly string[], missing: ReadonlyMap<string, MissingChunk>, embeds: Map<string, Float32Array>) {
    const { model, cache, runNetwork } = this.#options
    const chunks = keys.map((key) => missing.get(key) as MissingChunk)
    const length = (chunks[0] as MissingChunk).tokens.length
    const inputIds = BigInt64Array.from(chunks.flatMap((chunk) => chunk.tokens.map((token) => BigInt(token))))
    const feeds = { input_ids: { dtype: 'int64', dims: [chunks.length, length], data: inputIds } } as const
    const generations = [...new Set(chunks.flatMap((chunk) => chunk.generations))]
    const outputs = await runNetwork(model.textEncoder, feeds, { stage: 'encodePrompt', rows: chunks.length, generations })
    const rowSize = length * model.contextSize
    chunks.forEach((chunk, row) => {
      const states = outputData(outputs, hiddenStates(chunk.clipSkip), 'float32', chunks.length * rowSize)
      const rowStates = states.slice(row * rowSize, (row + 1) * rowSize)
      const key = keys[row] as string
      embeds.set(key, rowStates)
      cache.set(key, rowStates)
    })
  }

  #join(chunks: readonly (readonly number[])[], clipSkip: number, embeds: ReadonlyMap<string, Float32Array>): PromptEmbeds {
    const parts = chunks.map((tokens) => embeds.get(this.#key(tokens, clipSkip)) as Float32Array)
    const tokens = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (parts.length === 1) return { tokens, data: parts[0] as Float32Array }
    const data = new Float32Array(tokens * this.#options.model.contextSize)
    let offset = 0
    for (const part of parts) {
      data.set(part, offset)
      offset += part.length
    }
    return { tokens, data }
  }

  #key(tokens: readonly number[], clipSkip: number): string {
    return `${this.#options.model.spec.air} ${clipSkip} ${tokens.join(',')}`
  }
}

interface TokenizedPrompts {
  readonly prompt: readonly (readonly number[])[]
  readonly negativePrompt?: readonly (readonly number[])[]
}

function hiddenStates(clipSkip: number): string {
  return `hidden_states_${clipSkip}`
}
