import type { LoadedModel } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import { ControlNetFeeds } from './control-net-feeds.ts'
import { ImagePromptFeeds } from './image-prompt-feeds.ts'
import { KeptFeeds } from './kept-feeds.ts'
import { LoraFeeds } from './lora-feeds.ts'
import type { DenoiseState, PromptEmbeds, SteeredUnet } from './pipeline.ts'
import { PromptFeeds } from './prompt-feeds.ts'
import { RowInput } from './row-input.ts'

type Feeds = Readonly<Record<string, Tensor>>

/** One row of a UNet run: a generation's latents under one of its two prompts. */
export interface UnetRow {
  readonly state: DenoiseState
  readonly embeds: PromptEmbeds
  /** Whether it is the prediction that guidance leads away from. */
  readonly isNegative: boolean
}

/** The inputs of UNet runs, in buffers that are filled again for every run. */
export class UnetBatch {
  /** Of the network's input; more than the latents have where it takes a mask. */
  readonly #channels: number
  readonly #takesMask: boolean
  readonly #takesStates: boolean
  readonly #promptFeeds: PromptFeeds
  readonly #loraFeeds: LoraFeeds
  readonly #controlFeeds = new ControlNetFeeds()
  readonly #imagePromptFeeds = new ImagePromptFeeds()
  readonly #feeds = new KeptFeeds()
  readonly #sample = new RowInput('float32')
  readonly #timestep = new RowInput('float32')

  /** @param roundRank see `LoraFeeds` */
  constructor(
    model: Pick<LoadedModel, 'contextSize' | 'latentChannels' | 'takesMask' | 'takesStates' | 'promptProjection' | 'loraInputs'>, roundRank: (rank: number) => number,
  ) {
    this.#promptFeeds = new PromptFeeds(model)
    this.#takesStates = model.takesStates
    this.#takesMask = model.takesMask
    this.#channels = model.takesMask ? 2 * model.latentChannels + 1 : model.latentChannels
    this.#loraFeeds = new LoraFeeds(model.loraInputs, roundRank)
  }

  /** The rows as feeds of the UNet, or of a steered one in its place; valid until the next call. */
  fill(rows: readonly UnetRow[], height: number, width: number, steered?: SteeredUnet): Feeds {
    const prompts = this.#promptFeeds.fill(rows.map(({ embeds }) => embeds), steered?.takesStates ?? this.#takesStates)
    const parts = [this.#sampleFeeds(rows, height, width), prompts, this.#loraFeeds.fill(rows.map(({ state }) => state.loras))]
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
}
