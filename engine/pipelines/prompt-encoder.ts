import type { GenerationRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import type { PromptTokenizer } from '../prompts/prompt-tokenizer.ts'
import type { EmbedsCache } from './embeds-cache.ts'
import { hasGuidance } from './has-guidance.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { Conditioning, PromptEmbeds } from './pipeline.ts'

/** What a prompt encoder works with. */
export interface PromptEncoderOptions {
  readonly model: LoadedModel
  readonly tokenizer: Pick<PromptTokenizer, 'chunks'>
  readonly cache: EmbedsCache
  readonly runNetwork: NetworkRunner
}

/** A piece of a prompt that the text encoder takes in one row. */
interface Chunk {
  /** What its states depend on: model, layers skipped and tokens. */
  readonly key: string
  readonly tokens: readonly number[]
  readonly clipSkip: number
}

/** A chunk that has to be encoded, and the generations that wait for it. */
interface MissingChunk extends Chunk {
  readonly generations: Set<string>
}

interface ChunkedPrompts {
  readonly prompt: readonly Chunk[]
  readonly negativePrompt?: readonly Chunk[]
}

/** Turns prompts into text encoder states: each distinct chunk is encoded once, many in one run. */
export class PromptEncoder {
  readonly #options: PromptEncoderOptions

  constructor(options: PromptEncoderOptions) {
    this.#options = options
  }

  /** Encodes the prompts of all requests. Throws an EngineError that names `clipSkip` when the model has too few layers. */
  async encode(requests: readonly GenerationRequest[], maxRows: number): Promise<readonly Conditioning[]> {
    const prompts = requests.map((request) => this.#chunk(request))
    const embeds = new Map<string, Float32Array>()
    const missing = this.#lookUp(requests, prompts, embeds)
    for (let from = 0; from < missing.length; from += maxRows) {
      await this.#encodeChunks(missing.slice(from, from + maxRows), embeds)
    }
    return prompts.map(({ prompt, negativePrompt }) => {
      const promptEmbeds = this.#join(prompt, embeds)
      return negativePrompt === undefined ? { promptEmbeds } : { promptEmbeds, negativePromptEmbeds: this.#join(negativePrompt, embeds) }
    })
  }

  /** Layers are skipped for the prompt only: the reference encodes the negative prompt with all of them. */
  #chunk(request: GenerationRequest): ChunkedPrompts {
    const { model, tokenizer } = this.#options
    if (!model.textEncoder.outputs.some((output) => output.name === hiddenStates(request.clipSkip))) {
      const message = `clipSkip: the text encoder of ${model.spec.air} has too few layers to skip ${request.clipSkip}`
      throw new EngineError('invalidParameter', message, { parameter: 'clipSkip' })
    }
    const chunksOf = (parameter: 'prompt' | 'negativePrompt', clipSkip: number): readonly Chunk[] =>
      tokenize(tokenizer, request, parameter).map((tokens) => {
        return { key: `${model.spec.air} ${clipSkip} ${tokens.join(',')}`, tokens, clipSkip }
      })
    const prompt = chunksOf('prompt', request.clipSkip)
    return hasGuidance(request) ? { prompt, negativePrompt: chunksOf('negativePrompt', 0) } : { prompt }
  }

  /** Puts what the cache has into `embeds` and gives the rest, each distinct chunk once. */
  #lookUp(
    requests: readonly GenerationRequest[],
    prompts: readonly ChunkedPrompts[],
    embeds: Map<string, Float32Array>,
  ): readonly MissingChunk[] {
    const missing = new Map<string, MissingChunk>()
    prompts.forEach(({ prompt, negativePrompt = [] }, i) => {
      const { id } = requests[i] as GenerationRequest
      for (const chunk of [...prompt, ...negativePrompt]) {
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

  async #encodeChunks(chunks: readonly MissingChunk[], embeds: Map<string, Float32Array>): Promise<void> {
    const { model, cache, runNetwork } = this.#options
    const length = (chunks[0] as MissingChunk).tokens.length
    const inputIds = BigInt64Array.from(chunks.flatMap((chunk) => chunk.tokens.map((token) => BigInt(token))))
    const feeds = { input_ids: { dtype: 'int64', dims: [chunks.length, length], data: inputIds } } as const
    const generations = [...new Set(chunks.flatMap((chunk) => [...chunk.generations]))]
    const outputs = await runNetwork(model.textEncoder, feeds, { stage: 'encodePrompt', rows: chunks.length, generations })
    const rowSize = length * model.contextSize
    chunks.forEach((chunk, row) => {
      const states = outputData(outputs, hiddenStates(chunk.clipSkip), 'float32', chunks.length * rowSize)
      const rowStates = states.slice(row * rowSize, (row + 1) * rowSize)
      embeds.set(chunk.key, rowStates)
      cache.set(chunk.key, rowStates)
    })
  }

  #join(chunks: readonly Chunk[], embeds: ReadonlyMap<string, Float32Array>): PromptEmbeds {
    const parts = chunks.map((chunk) => embeds.get(chunk.key) as Float32Array)
    const tokens = chunks.reduce((sum, chunk) => sum + chunk.tokens.length, 0)
    if (parts.length === 1) return { tokens, data: parts[0] as Float32Array }
    const data = new Float32Array(tokens * this.#options.model.contextSize)
    let offset = 0
    for (const part of parts) {
      data.set(part, offset)
      offset += part.length
    }
    return { tokens, data }
  }
}

function tokenize(tokenizer: Pick<PromptTokenizer, 'chunks'>, request: GenerationRequest, parameter: 'prompt' | 'negativePrompt') {
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
