import type { LoadedModel, LoadedPromptProjection } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import type { PromptEmbeds } from './pipeline.ts'
import { RowInput } from './row-input.ts'

type Feeds = Readonly<Record<string, Tensor>>

/** Added to the attention scores of tokens a row does not have; exp() of it is 0, and float16 can hold it. */
const maskedBias = -10_000

/** What UNet runs are told of prompts, in buffers that are filled again where the rows of a run have others. */
export class PromptFeeds {
  readonly #contextSize: number
  readonly #projected: LoadedPromptProjection['tensors']
  readonly #projectedInputs: readonly RowInput<'float32'>[]
  readonly #context = new RowInput('float32')
  readonly #bias = new RowInput('float32')
  readonly #textEmbeds = new RowInput('float32')
  readonly #timeIds = new RowInput('float32')
  /** Of the latest run; what a prompt's keys and values take is not kept for them. */
  #rows: readonly WeakRef<PromptEmbeds>[] = []
  #hasStates = false
  #feeds: Feeds = {}

  constructor({ contextSize, promptProjection }: Pick<LoadedModel, 'contextSize' | 'promptProjection'>) {
    this.#contextSize = contextSize
    this.#projected = promptProjection?.tensors ?? []
    this.#projectedInputs = this.#projected.map(() => new RowInput('float32'))
  }

  /**
   * The feeds of a run whose rows have these prompts, valid until the next call; the same object as long as the prompts are the same.
   * @param takesStates whether the network takes their states too
   */
  fill(rows: readonly PromptEmbeds[], takesStates: boolean): Feeds {
    const isKept = takesStates === this.#hasStates && rows.length === this.#rows.length && rows.every((row, index) => row === this.#rows[index]?.deref())
    if (!isKept) {
      this.#feeds = this.#feedsOf(rows, takesStates)
      this.#rows = rows.map((row) => new WeakRef(row))
      this.#hasStates = takesStates
    }
    return this.#feeds
  }

  #feedsOf(rows: readonly PromptEmbeds[], takesStates: boolean): Feeds {
    const count = rows.length
    const tokens = rows.reduce((most, each) => Math.max(most, each.tokens), 0)
    const feeds: Record<string, Tensor> = { encoder_attention_bias: this.#bias.keep([count, 1, 1, tokens], rows, writeBias) }
    if (takesStates) feeds['encoder_hidden_states'] = this.#context.keep([count, tokens, this.#contextSize], rows, writeStates)
    this.#projected.forEach(({ name, heads, width }, place) => {
      const input = this.#projectedInputs[place] as RowInput<'float32'>
      feeds[name] = input.keep([count, heads, tokens, width], rows, ({ projected }, row) => writeByHead(projected?.[place] as Float32Array, row, heads))
    })
    const added = rows[0]?.added
    if (added === undefined) return feeds
    // The inputs only some networks have; rows of one network have them all.
    feeds['text_embeds'] = this.#textEmbeds.keep([count, added.textEmbeds.length], rows, (each, row) => row.set(each.added?.textEmbeds ?? []))
    feeds['time_ids'] = this.#timeIds.keep([count, added.timeIds.length], rows, (each, row) => row.set(each.added?.timeIds ?? []))
    return feeds
  }
}

/** The prompt's states, then zeros: a masked token adds 0 times its value, which must be finite. */
function writeStates({ data }: PromptEmbeds, row: Float32Array): void {
  row.set(data)
  row.fill(0, data.length)
}

/** Each head's tokens, then zeros, which are what becomes of states that are zeros. */
function writeByHead(data: Float32Array, row: Float32Array, heads: number): void {
  const [given, whole] = [data.length / heads, row.length / heads]
  for (let head = 0; head < heads; head++) {
    row.set(data.subarray(head * given, (head + 1) * given), head * whole)
    row.fill(0, head * whole + given, (head + 1) * whole)
  }
}

function writeBias({ tokens }: PromptEmbeds, row: Float32Array): void {
  row.fill(0, 0, tokens).fill(maskedBias, tokens)
}
