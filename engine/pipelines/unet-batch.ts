import type { LoadedModel } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import { ControlNetFeeds } from './control-net-feeds.ts'
import { ImagePromptFeeds } from './image-prompt-feeds.ts'
import { KeptFeeds } from './kept-feeds.ts'
import { LoraFeeds } from './lora-feeds.ts'
import type { DenoiseState, PromptEmbeds, SteeredUnet } from './pipeline.ts'
import { RowInput } from './row-input.ts'

type Feeds = Readonly<Record<string, Tensor>>

/** One row of a UNet run: a generation's latents under one of its two prompts. */
export interface UnetRow {
  readonly state: DenoiseState
  readonly embeds: PromptEmbeds
  /** Whether it is the prediction that guidance leads away from. */
  readonly isNegative: boolean
}

/** Added to the attention scores of tokens a row does not have; exp() of it is 0, and float16 can hold it. */
const maskedBias = -10_000

/** The inputs of UNet runs, in buffers that are filled again for every run. */
export class UnetBatch {
  readonly #contextSize: number
  /** Of the network's input; more than the latents have where it takes a mask. */
  readonly #channels: number
  readonly #takesMask: boolean
  readonly #loraFeeds: LoraFeeds
  readonly #controlFeeds = new ControlNetFeeds()
  readonly #imagePromptFeeds = new ImagePromptFeeds()
  readonly #feeds = new KeptFeeds()
  readonly #sample = new RowInput('float32')
  readonly #timestep = new RowInput('float32')
  readonly #context = new RowInput('float32')
  readonly #bias = new RowInput('float32')
  readonly #textEmbeds = new RowInput('float32')
  readonly #timeIds = new RowInput('float32')

  /** @param roundRank see `LoraFeeds` */
  constructor(model: Pick<LoadedModel, 'contextSize' | 'latentChannels' | 'takesMask' | 'loraInputs'>, roundRank: (rank: number) => number) {
    this.#contextSize = model.contextSize
    this.#takesMask = model.takesMask
    this.#channels = model.takesMask ? 2 * model.latentChannels + 1 : model.latentChannels
    this.#loraFeeds = new LoraFeeds(model.loraInputs, roundRank)
  }

  /** The rows as feeds of the UNet, or of a steered one in its place; valid until the next call. */
  fill(rows: readonly UnetRow[], height: number, width: number, steered?: SteeredUnet): Feeds {
    const embeds = rows.map((row) => row.embeds)
    const parts = [this.#sampleFeeds(rows, height, width), this.#promptFeeds(embeds), this.#loraFeeds.fill(rows.map(({ state }) => state.loras))]
    if (steered === undefined) return this.#feeds.join(parts)
    return this.#feeds.join([...parts, this.#controlFeeds.fill(rows, steered.controlNets), this.#imagePromptFeeds.fill(rows, steered.ipAdapters)])
  }

  #sampleFeeds(rows: readonly UnetRow[], height: number, width: number): Feeds {
    const count = rows.length
    const sample = this.#sample.take([count, this.#channels, height, width])
    const timestep = this.#timestep.take([count])
    rows.forEach(({ state: { run, evaluation, latents, maskInput } }, row) => {
      const values = this.#sample.row(row)
      // Both rows of a picture with guidance begin with the same sample.
      if (row > 0 && latents === rows[row - 1]?.state.latents) values.set(this.#sample.row(row - 1))
      else run.scaleModelInput(latents, evaluation, values)
      // A refiner that takes over from an inpainting network knows of no masks.
      if (this.#takesMask && maskInput !== undefined) values.set(maskInput, latents.length)
      timestep.data[row] = run.timesteps[evaluation] as number
    })
    return { sample, timestep }
  }

  #promptFeeds(embeds: readonly PromptEmbeds[]): Feeds {
    const count = embeds.length
    const tokens = embeds.reduce((most, each) => Math.max(most, each.tokens), 0)
    const feeds = {
      encoder_hidden_states: this.#context.keep([count, tokens, this.#contextSize], embeds, writeContext),
      encoder_attention_bias: this.#bias.keep([count, 1, 1, tokens], embeds, writeBias),
    }
    const added = embeds[0]?.added
    if (added === undefined) return feeds
    // The inputs only some networks have; rows of one network have them all.
    return {
      ...feeds,
      text_embeds: this.#textEmbeds.keep([count, added.textEmbeds.length], embeds, (each, row) => row.set(each.added?.textEmbeds ?? [])),
      time_ids: this.#timeIds.keep([count, added.timeIds.length], embeds, (each, row) => row.set(each.added?.timeIds ?? [])),
    }
  }
}

/** The prompt's states, then zeros: a masked token adds 0 times its value, which must be finite. */
function writeContext({ data }: PromptEmbeds, row: Float32Array): void {
  row.set(data)
  row.fill(0, data.length)
}

function writeBias({ tokens }: PromptEmbeds, row: Float32Array): void {
  row.fill(0, 0, tokens).fill(maskedBias, tokens)
}
