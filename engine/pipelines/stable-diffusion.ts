import type { ControlNetUse, DecodedRequest, RefinerUse, RgbImage } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import type { PromptTokenizer } from '../prompts/prompt-tokenizer.ts'
import type { NoiseSchedulerRun, NoiseSource } from '../schedulers/noise-scheduler.ts'
import { checkContent } from './check-content.ts'
import { checkVae } from './check-vae.ts'
import type { EmbedsCache } from './embeds-cache.ts'
import { firstLatents, keepKnown } from './first-latents.ts'
import { FloatPool } from './float-pool.ts'
import { guide } from './guide.ts'
import { ImageEncoder } from './image-encoder.ts'
import { ImagePromptEncoder } from './image-prompt-encoder.ts'
import { isFiniteArray } from './is-finite-array.ts'
import { unetLoras } from './lora-uses.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { Conditioning, DenoiseState, ImageLatents, Pipeline, PreparedRequest, RequestParts, UncheckedPicture } from './pipeline.ts'
import { PromptEncoder } from './prompt-encoder.ts'
import { PromptProjector } from './prompt-projector.ts'
import { groupRows } from './row-groups.ts'
import { steeredUnetOf } from './steered-unet.ts'
import { UnetBatch, type UnetRow } from './unet-batch.ts'

/** What the pipeline of the SD families works with. */
export interface StableDiffusionOptions {
  readonly model: LoadedModel
  /** One for each text encoder of the model. */
  readonly tokenizers: readonly PromptTokenizer[]
  readonly cache: EmbedsCache
  readonly runNetwork: NetworkRunner
  /** Starts a run of the noise scheduler of this name, `leastStep` steps or more left out. Throws a RangeError for a step count it cannot do. */
  readonly createNoiseSchedulerRun: (request: DecodedRequest, model: Pick<LoadedModel, 'noiseSchedule'>, leastStep?: number) => NoiseSchedulerRun
  readonly createNoiseSource: (seed: number) => NoiseSource
  /** To a rank of LoRAs that the device is run with. */
  readonly roundRank: (rank: number) => number
}

/** Pictures from text, from pictures and within pictures, with the SD 1.x, SD 2.x and SDXL families. */
export class StableDiffusionPipeline implements Pipeline {
  readonly model: string
  readonly costPerUnit: number
  readonly #options: StableDiffusionOptions
  readonly #promptEncoder: PromptEncoder
  readonly #promptProjector: PromptProjector | undefined
  readonly #imagePromptEncoder: ImagePromptEncoder
  readonly #imageEncoder: ImageEncoder
  readonly #unetBatch: UnetBatch
  readonly #latents = new FloatPool()

  constructor(options: StableDiffusionOptions) {
    const { model } = options
    this.model = model.spec.air
    this.costPerUnit = Math.max(1, model.byteLength / 2 ** 20)
    this.#options = options
    this.#promptEncoder = new PromptEncoder(options)
    const { promptProjection: projection, contextSize } = model
    this.#promptProjector = projection && new PromptProjector({ ...options, projection, contextSize })
    this.#imagePromptEncoder = new ImagePromptEncoder(options.runNetwork)
    this.#imageEncoder = new ImageEncoder(options)
    this.#unetBatch = new UnetBatch(model, options.roundRank)
  }

  latentSize({ width, height }: DecodedRequest): { readonly width: number; readonly height: number } {
    const { latentFactor } = this.#options.model
    return { width: width / latentFactor, height: height / latentFactor }
  }

  needsImages(request: DecodedRequest): boolean {
    return this.#imageEncoder.isNeeded(request)
  }

  /** 0. Encode pictures. */
  encodeImages(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly ImageLatents[]> {
    return this.#imageEncoder.encode(requests, maxRows)
  }

  /** 1. Encode prompts, and project them where the UNet does not do so itself. */
  encodePrompts(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly Conditioning[]> {
    return this.#encodePrompts(requests, maxRows)
  }

  /** 2. Prepare latents: standard normal noise of the seed at the noise schedule's start, or a picture under noise. */
  prepareLatents({ request, parts }: PreparedRequest, conditioning: Conditioning, images: ImageLatents): DenoiseState {
    const { model, createNoiseSchedulerRun, createNoiseSource } = this.#options
    if (parts.vae !== undefined) checkVae(model, parts.vae)
    const run = createNoiseSchedulerRun(request, model)
    const noise = createNoiseSource(request.seed)
    const first = firstLatents(request, { model, run, noise, images })
    const { refiner } = request
    const refined = refiner === undefined ? 0 : createNoiseSchedulerRun(request, model, refiner.startStep - 1).timesteps.length
    const { noiseSchedule } = model
    const [loras, controls] = [unetLoras(parts.loras), controlsOf(request, parts)]
    return { request, parts, conditioning, loras, controls, run, noiseSchedule, noise, ...first, evaluation: 0, end: run.timesteps.length - refined }
  }

  /**
   * 2. Take over: a run of the same noise scheduler that begins at the refiner's first step, as diffusers' denoising_start
   * does; only what the network predicts is the refiner's own.
   */
  takeOver(state: DenoiseState, parts: RequestParts, conditioning: Conditioning): DenoiseState {
    const { model, createNoiseSchedulerRun } = this.#options
    const { request, latents } = state
    const { width, height } = this.latentSize(request)
    if (latents.length !== model.latentChannels * height * width) {
      throw new EngineError('invalidParameter', `refiner: ${model.spec.air} is for other latents`, { parameter: 'refiner' })
    }
    if (model.takesMask) throw new EngineError('invalidParameter', `refiner: ${model.spec.air} is for inpainting`, { parameter: 'refiner' })
    const noiseSchedule = { ...state.noiseSchedule, predictionType: model.noiseSchedule.predictionType }
    const run = createNoiseSchedulerRun(request, { noiseSchedule }, (request.refiner as RefinerUse).startStep - 1)
    return { ...state, parts, conditioning, loras: unetLoras(parts.loras), controls: [], run, noiseSchedule, evaluation: 0, end: run.timesteps.length }
  }

  /** 3. Denoise: one evaluation of the UNet over all rows, guidance and the noise scheduler's step for each generation. */
  async denoise(states: readonly DenoiseState[], maxRows: number): Promise<readonly (Error | undefined)[]> {
    const rows = states.flatMap(rowsOf)
    const outputs = await this.#runUnet(rows, maxRows)
    let row = 0
    return states.map((state) => {
      const { negativePromptEmbeds } = state.conditioning
      const unconditioned = negativePromptEmbeds === undefined ? undefined : outputs[row++]
      const conditioned = outputs[row++] as Float32Array
      return advance(state, conditioned, unconditioned)
    })
  }

  /** 4. Decode the latents to pictures. */
  async decode(states: readonly DenoiseState[], maxRows: number): Promise<readonly RgbImage[]> {
    const images: RgbImage[] = []
    for (let from = 0; from < states.length; from += maxRows) {
      images.push(...(await this.#runVaeDecoder(states.slice(from, from + maxRows))))
    }
    return images
  }

  /** 5. Check the content of pictures whose requests ask for it. */
  checkContent(pictures: readonly UncheckedPicture[], maxRows: number): Promise<readonly boolean[]> {
    return checkContent(pictures, maxRows, this.#options.runNetwork)
  }

  async #encodePrompts(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly Conditioning[]> {
    const encoded = await this.#promptEncoder.encode(requests, maxRows)
    const texts = this.#promptProjector ? await this.#promptProjector.project(requests, encoded, maxRows) : encoded
    const images = await this.#imagePromptEncoder.encode(requests, maxRows)
    return texts.map((text, i) => ({ ...text, imagePrompts: images[i] as (typeof images)[number] }))
  }

  /** Gives each row's model output; the arrays are the caller's. */
  async #runUnet(rows: readonly UnetRow[], maxRows: number): Promise<readonly Float32Array[]> {
    const { model, runNetwork } = this.#options
    const { state } = rows[0] as UnetRow
    const steered = steeredUnetOf(state.parts, state)
    const { width, height } = this.latentSize(state.request)
    const size = model.latentChannels * height * width
    const modelOutputs: Float32Array[] = []
    for (const indices of groupRows(rows.map(({ state }) => state.loras), maxRows)) {
      const part = indices.map((index) => rows[index] as UnetRow)
      const generations = [...new Set(part.map((row) => row.state.request.id))]
      const feeds = this.#unetBatch.fill(part, height, width, steered)
      const outputs = await runNetwork(steered?.unet ?? model.unet, feeds, { stage: 'denoise', rows: part.length, generations })
      const data = outputData(outputs, 'out_sample', 'float32', part.length * size)
      indices.forEach((index, row) => (modelOutputs[index] = data.subarray(row * size, (row + 1) * size)))
    }
    return modelOutputs
  }

  async #runVaeDecoder(states: readonly DenoiseState[]): Promise<readonly RgbImage[]> {
    const { model, runNetwork } = this.#options
    const { request: { vae: air = model.spec.air }, parts: { vae = model.vae } } = states[0] as DenoiseState
    const { width, height } = this.latentSize((states[0] as DenoiseState).request)
    const latentLength = model.latentChannels * height * width
    const latents = this.#latents.take(states.length * latentLength)
    states.forEach((state, row) => latents.set(state.latents, row * latentLength))
    const dims = [states.length, model.latentChannels, height, width]
    const generations = states.map((state) => state.request.id)
    const feeds = { latents: { dtype: 'float32', dims, data: latents } } as const
    const outputs = await runNetwork(vae.decoder, feeds, { stage: 'decode', rows: states.length, generations })
    if (!isFiniteArray(outputData(outputs, 'image_check', 'float32', states.length))) {
      throw new EngineError('inferenceError', `the VAE of ${air} gives pixels that are not finite`)
    }
    const length = width * height * model.latentFactor ** 2 * 3
    const data = outputData(outputs, 'image', 'uint8', states.length * length)
    return states.map(({ request }, row) => ({
      width: request.width,
      height: request.height,
      data: states.length === 1 ? data : data.slice(row * length, (row + 1) * length),
    }))
  }
}

function controlsOf({ controlNets = [] }: DecodedRequest, { steered }: RequestParts): readonly ControlNetUse<RgbImage>[] {
  return steered === undefined ? [] : steered.controlNetUses.map((place) => controlNets[place] as ControlNetUse<RgbImage>)
}

/** The negative prompt's row comes first, as in the reference. */
function rowsOf(state: DenoiseState): readonly UnetRow[] {
  const { promptEmbeds, negativePromptEmbeds } = state.conditioning
  const conditioned = { state, embeds: promptEmbeds, isNegative: false }
  return negativePromptEmbeds === undefined ? [conditioned] : [{ state, embeds: negativePromptEmbeds, isNegative: true }, conditioned]
}

/** Takes one generation a step on; gives the error that is this generation's own. */
function advance(state: DenoiseState, conditioned: Float32Array, unconditioned: Float32Array | undefined): Error | undefined {
  const { request, run, evaluation, noise } = state
  const modelOutput = unconditioned === undefined ? conditioned : guide(conditioned, unconditioned, request.guidanceScale)
  try {
    state.latents = keepKnown(state, run.step(modelOutput, evaluation, state.latents, noise), evaluation + 1)
  } catch (cause) {
    return new EngineError('inferenceError', `the noise scheduler failed at step ${evaluation + 1}`, { cause })
  }
  if (!isFiniteArray(state.latents)) {
    const message = `the latents are not finite after step ${evaluation + 1} of ${run.timesteps.length}`
    return new EngineError('inferenceError', message)
  }
  state.evaluation += 1
  return undefined
}
