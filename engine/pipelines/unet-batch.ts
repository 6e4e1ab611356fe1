import type { LoadedModel } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import { FloatPool } from './float-pool.ts'
import { LoraFeeds } from './lora-feeds.ts'
import { unetLoras } from './lora-uses.ts'
import type { AddedConditions, DenoiseState, PromptEmbeds } from './pipeline.ts'

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
  readonly #sample = new FloatPool()
  readonly #timestep = new FloatPool()
  readonly #context = new FloatPool()
  readonly #bias = new FloatPool()
  readonly #textEmbeds = new FloatPool()
  readonly #timeIds = new FloatPool()

  /** @param roundRank see `LoraFeeds` */
  constructor(model: Pick<LoadedModel, 'contextSize' | 'latentChannels' | 'takesMask' | 'loraInputs'>, roundRank: (rank: number) => number) {
    this.#contextSize = model.contextSize
    this.#takesMask = model.takesMask
    this.#channels = model.takesMask ? 2 * model.latentChannels + 1 : model.latentChannels
    this.#loraFeeds = new LoraFeeds(model.loraInputs, roundRank)
  }

  /** The rows as the UNet's feeds; valid until the next call. */
  fill(rows: readonly UnetRow[], height: number, width: number): Readonly<Record<string, Tensor>> {
    const count = rows.length
    const tokens = rows.reduce((most, row) => Math.max(most, row.embeds.tokens), 0)
    const sampleSize = this.#channels * height * width
    const sample = this.#sample.take(count * sampleSize)
    const timestep = this.#timestep.take(count)
    const context = this.#context.take(count * tokens * this.#contextSize)
    const bias = this.#bias.take(count * tokens)
    rows.forEach(({ state, embeds }, row) => {
      const { run, evaluation, latents, maskInput } = state
      run.scaleModelInput(latents, evaluation, sample.subarray(row * sampleSize, row * sampleSize + latents.length))
      // A refiner that takes over from an inpainting network knows of no masks.
      if (this.#takesMask && maskInput !== undefined) sample.set(maskInput, row * sampleSize + latents.length)
      timestep[row] = run.timesteps[evaluation] as number
      this.#fillContext(embeds, context.subarray(row * tokens * this.#contextSize, (row + 1) * tokens * this.#contextSize))
      bias.fill(0, row * tokens, row * tokens + embeds.tokens).fill(maskedBias, row * tokens + embeds.tokens, (row + 1) * tokens)
    })
    return {
      sample: { dtype: 'float32', dims: [count, this.#channels, height, width], data: sample },
      timestep: { dtype: 'float32', dims: [count], data: timestep },
      encoder_hidden_states: { dtype: 'float32', dims: [count, tokens, this.#contextSize], data: context },
      encoder_attention_bias: { dtype: 'float32', dims: [count, 1, 1, tokens], data: bias },
      ...this.#addedFeeds(rows),
      ...this.#loraFeeds.fill(rows.map(({ state }) => unetLoras(state.parts.loras))),
    }
  }

  /** The inputs only some networks have. */
  #addedFeeds(rows: readonly UnetRow[]): Readonly<Record<string, Tensor>> {
    const [first] = rows as [UnetRow]
    if (first.embeds.added === undefined) return {}
    const { textEmbeds, timeIds } = first.embeds.added
    const texts = this.#textEmbeds.take(rows.length * textEmbeds.length)
    const ids = this.#timeIds.take(rows.length * timeIds.length)
    rows.forEach(({ embeds }, row) => {
      const added = embeds.added as AddedConditions
      texts.set(added.textEmbeds, row * textEmbeds.length)
      ids.set(added.timeIds, row * timeIds.length)
    })
    return {
      text_embeds: { dtype: 'float32', dims: [rows.length, textEmbeds.length], data: texts },
      time_ids: { dtype: 'float32', dims: [rows.length, timeIds.length], data: ids },
    }
  }

  /** The prompt's states, then zeros: a masked token adds 0 times its value, which must be finite. */
  #fillContext(embeds: PromptEmbeds, out: Float32Array): void {
    out.set(embeds.data)
    out.fill(0, embeds.data.length)
  }
}
