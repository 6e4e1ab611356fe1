// A model whose networks are a few lines of arithmetic: each row depends on nothing but itself, so whatever differs
// between alone and batched is the engine's doing. The engine around it is the real one.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { StepLoopEngine } from '../../../engine/core/step-loop-engine.ts'
import type { DecodedRequest, GenerationRequest } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import type { Held, LoadedModel, LoadedParts, LoadedSafetyChecker, LoadedVae, ModelLoader, PartType } from '../../../engine/models/loaded-model.ts'
import { ModelError } from '../../../engine/models/model-error.ts'
import { EmbedsCache } from '../../../engine/pipelines/embeds-cache.ts'
import { createNetworkRunner } from '../../../engine/pipelines/network-runner.ts'
import type { PromptTokenizer } from '../../../engine/prompts/prompt-tokenizer.ts'
import { StableDiffusionPipeline } from '../../../engine/pipelines/stable-diffusion.ts'
import type { ModelSession } from '../../../engine/runtime/model-session.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun, NoiseSource } from '../../../engine/schedulers/noise-scheduler.ts'
import type { Tensor } from '../../../engine/tensor.ts'

type Feeds = Readonly<Record<string, Tensor>>

/** What a test may do to a network before it runs; throwing makes the run fail. */
export type BeforeRun = (network: 'textEncoder' | 'unet' | 'vaeEncoder' | 'vaeDecoder' | 'safetyChecker', feeds: Feeds) => void | Promise<void>

const chunkLength = 8
const contextSize = 4

/** A token for each character; chunks of six between a start and an end token. */
export const fakeTokenizer: PromptTokenizer = {
  frame: { start: 1, end: 2, pad: 2, length: chunkLength },
  tokens: (text) => [...text].map((character) => character.codePointAt(0) as number),
  texts: () => ({ frame: fakeTokenizer.frame, tokens: fakeTokenizer.tokens, pieceOf: (id) => String.fromCodePoint(id) }),
}

export const fakeNoiseSchedule: NoiseScheduleConfig = {
  className: 'PNDMScheduler', numTrainTimesteps: 1000, betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear',
  predictionType: 'epsilon', stepsOffset: 1, rescaleBetasZeroSnr: false, extra: {},
}

/** A first-order run whose every step takes a tenth of the model output off the sample. */
export function fakeNoiseSchedulerRun({ totalSteps }: DecodedRequest, _model?: unknown, leastStep = 0): NoiseSchedulerRun {
  return {
    timesteps: Array.from({ length: totalSteps }, (_, i) => 1000 - i).slice(leastStep),
    initNoiseSigma: 1,
    addNoise: (latents, noise) => latents.map((value, i) => value + (noise[i] as number)),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step: (modelOutput, _evaluation, sample) => sample.map((value, i) => value - 0.1 * (modelOutput[i] as number)),
  }
}

/** A linear congruential stream, so that seeds differ. */
export function fakeNoiseSource(seed: number): NoiseSource {
  let state = seed + 1
  return {
    next: (count) => Float32Array.from({ length: count }, () => {
      state = (state * 48271) % 2147483647
      return (state / 2147483647) * 2 - 1
    }),
  }
}

function session(
  name: Parameters<BeforeRun>[0],
  outputs: readonly string[],
  compute: (feeds: Feeds) => Record<string, Tensor>,
  before: BeforeRun,
): ModelSession {
  return {
    name,
    inputs: [],
    outputs: outputs.map((output) => ({ name: output, dtype: 'float32' as const, dims: [] })),
    run: async (feeds) => {
      await before(name, feeds)
      return compute(feeds)
    },
    release: () => Promise.resolve(),
  }
}

function encodeText(feeds: Feeds): Record<string, Tensor> {
  const ids = (feeds.input_ids as Tensor<'int64'>).data
  const rows = ids.length / chunkLength
  const states = (layer: number): Tensor => ({
    dtype: 'float32',
    dims: [rows, chunkLength, contextSize],
    data: Float32Array.from({ length: ids.length * contextSize }, (_, i) => {
      return Math.sin(Number(ids[Math.floor(i / contextSize)]) * (1 + (i % contextSize)) + layer)
    }),
  })
  return { hidden_states_0: states(0), hidden_states_1: states(1) }
}

/** out = sin(sample + mean of the unmasked context + timestep / 1000), row by row. */
function denoise(feeds: Feeds): Record<string, Tensor> {
  const sample = feeds.sample as Tensor<'float32'>
  const context = (feeds.encoder_hidden_states as Tensor<'float32'>).data
  const bias = (feeds.encoder_attention_bias as Tensor<'float32'>).data
  const timestep = (feeds.timestep as Tensor<'float32'>).data
  const rows = timestep.length
  const tokens = bias.length / rows
  const size = sample.data.length / rows
  const data = new Float32Array(sample.data.length)
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let token = 0; token < tokens; token++) {
      const weight = Math.exp(bias[row * tokens + token] as number)
      for (let k = 0; k < contextSize; k++) sum += weight * (context[(row * tokens + token) * contextSize + k] as number)
    }
    for (let i = row * size; i < (row + 1) * size; i++) {
      data[i] = Math.sin((sample.data[i] as number) + sum + (timestep[row] as number) / 1000)
    }
  }
  return { out_sample: { dtype: 'float32', dims: sample.dims, data } }
}

/** The first pixel of each 8x8 block becomes a latent cell's first three channels. */
function encodePixels(feeds: Feeds): Record<string, Tensor> {
  const { dims, data } = feeds.pixels as Tensor<'float32'>
  const [rows, , height, width] = dims as [number, number, number, number]
  const mean = new Float32Array(rows * 4 * (height / 8) * (width / 8))
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < 4; c++) {
      for (let y = 0; y < height; y += 8) {
        for (let x = 0; x < width; x += 8) mean[at++] = c < 3 ? (data[((row * 3 + c) * height + y) * width + x] as number) : 0
      }
    }
  }
  const out = [rows, 4, height / 8, width / 8]
  return { mean: { dtype: 'float32', dims: out, data: mean }, deviation: { dtype: 'float32', dims: out, data: new Float32Array(mean.length) } }
}

/** Each latent cell becomes an 8x8 block of its first three channels. */
function decodeLatents(feeds: Feeds): Record<string, Tensor> {
  const { dims, data } = feeds.latents as Tensor<'float32'>
  const [rows, channels, height, width] = dims as [number, number, number, number]
  const image = new Uint8Array(rows * height * 8 * width * 8 * 3)
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let y = 0; y < height * 8; y++) {
      for (let x = 0; x < width * 8; x++) {
        for (let c = 0; c < 3; c++) {
          const value = data[((row * channels + c) * height + (y >> 3)) * width + (x >> 3)] as number
          image[at++] = Math.max(0, Math.min(255, Math.round(127.5 * (1 + value))))
        }
      }
    }
  }
  return {
    image: { dtype: 'uint8', dims: [rows, height * 8, width * 8, 3], data: image },
    image_check: { dtype: 'float32', dims: [rows], data: new Float32Array(rows) },
  }
}

/** A VAE over the arithmetic network; `brightness` is added to its pictures. */
export function fakeVae(before: BeforeRun = () => {}, brightness = 0, latentChannels = 4): LoadedVae {
  const decode = (feeds: Feeds): Record<string, Tensor> => {
    const { image, ...rest } = decodeLatents(feeds)
    const brighter = (image as Tensor<'uint8'>).data.map((value) => Math.min(255, value + brightness))
    return { ...rest, image: { ...(image as Tensor<'uint8'>), data: brighter } }
  }
  const decoder = session('vaeDecoder', ['image', 'image_check'], decode, before)
  const encoder = session('vaeEncoder', ['mean', 'deviation'], encodePixels, before)
  return { latentChannels, latentFactor: 8, scalingFactor: 1, shiftFactor: 0, encoder, decoder }
}

/** A loaded model of this AIR over the arithmetic networks. */
export function fakeModel(air: string, before: BeforeRun = () => {}): LoadedModel {
  return {
    spec: { air, type: 'checkpoint', name: air, family: 'sd1', path: '/', safetyChecker: 'checker:1@1', defaults: { width: 64, height: 64 } },
    contextSize,
    zerosEmptyPrompt: false,
    latentChannels: 4,
    latentFactor: 8,
    noiseSchedule: fakeNoiseSchedule,
    loraInputs: [],
    loraTargets: { find: () => undefined },
    textEncoders: [{
      component: 'text_encoder',
      loraInputs: [],
      tokenizer: { vocabulary: {}, merges: [], padToken: '', modelMaxLength: 77, highestId: 0 },
      width: contextSize,
      session: session('textEncoder', ['hidden_states_0', 'hidden_states_1'], encodeText, before),
    }],
    unet: session('unet', ['out_sample'], denoise, before),
    takesStates: true,
    takesMask: false,
    vae: fakeVae(before),
    byteLength: 1000,
  }
}

/** As the UNet, and adds to each number the row's scales times a pixel of its guide images. */
function controlledUnet(before: BeforeRun = () => {}): ModelSession {
  return session('unet', ['out_sample'], (feeds) => {
    const { out_sample } = denoise(feeds)
    const { dims, data } = out_sample as Tensor<'float32'>
    const [rows = 1] = dims
    const size = data.length / rows
    const shift = new Float32Array(rows)
    for (let slot = 0; feeds[`control_scale_${slot}`] !== undefined; slot++) {
      const scales = (feeds[`control_scale_${slot}`] as Tensor<'float32'>).data
      const guides = (feeds[`control_guide_${slot}`] as Tensor<'uint8'>).data
      for (let row = 0; row < rows; row++) {
        shift[row] = (shift[row] as number) + (scales[(row + 1) * (scales.length / rows) - 1] as number) * (guides[row * (guides.length / rows)] as number) / 255
      }
    }
    return { out_sample: { dtype: 'float32', dims, data: data.map((value, i) => value + (shift[Math.floor(i / size)] as number)) } }
  }, before)
}

export interface FakeLoader extends ModelLoader {
  /** AIRs in use, once for each hold. */
  readonly held: readonly string[]
  readonly isReleased: boolean
}

/** Side of what the fake safety checker sees of a picture. */
const checkedSize = 4

/** The fake safety checker flags pictures whose mean sample is above this. */
export const flaggedAbove = 200

function fakeSafetyChecker(air: string, before: BeforeRun = () => {}): LoadedSafetyChecker {
  const judge = (feeds: Feeds): Record<string, Tensor> => {
    const { data, dims: [rows = 0] } = feeds.pixel_values as Tensor<'float32'>
    const size = data.length / rows
    const flag = Float32Array.from({ length: rows }, (_, row) => {
      const mean = data.subarray(row * size, (row + 1) * size).reduce((sum, value) => sum + value / size, 0)
      return mean * 0 + (mean > flaggedAbove ? 1 : 0)
    })
    return { flag: { dtype: 'float32', dims: [rows], data: flag } }
  }
  const size = { width: checkedSize, height: checkedSize }
  return { air, imageSize: checkedSize, settings: { resize: size, kernel: 'bicubic' }, session: session('safetyChecker', ['flag'], judge, before) }
}

/** Parts by AIR: `bright:…` is a VAE whose pictures are brighter, `wide:…` one of other latents, `checker:…` a safety checker. */
function fakePart(air: string, before: BeforeRun | undefined): LoadedParts[PartType] {
  if (air.startsWith('checker:')) return fakeSafetyChecker(air, before)
  return fakeVae(before, air.startsWith('bright:') ? 50 : 0, air.startsWith('wide:') ? 16 : 4)
}

/** Loads any AIR but `broken:…` when the gate opens, at the next turn of the event loop by default, and keeps it. */
export function fakeLoader(before?: BeforeRun, loadGate: () => Promise<unknown> = nextTurn): FakeLoader {
  const models = new Map<string, LoadedModel>()
  const parts = new Map<string, LoadedParts[PartType]>()
  const held: string[] = []
  let isReleased = false
  const hold = (air: string) => {
    held.push(air)
    return () => void held.splice(held.indexOf(air), 1)
  }
  const checkpoint = (air: string): LoadedModel => {
    const model = models.get(air) ?? fakeModel(air, before)
    models.set(air, model)
    return model
  }
  return {
    held,
    get isReleased() {
      return isReleased
    },
    load: async (air) => {
      if (!models.has(air)) await loadGate()
      if (air.startsWith('broken:')) throw new Error(`${air} is broken`)
      return checkpoint(air)
    },
    usePart: async <T extends PartType>(type: T, air: string): Promise<Held<LoadedParts[T]>> => {
      await loadGate()
      if (air.startsWith('broken:')) throw new ModelError(`${air} is broken`)
      const part = (type === 'checkpoint' ? checkpoint(air) : (parts.get(air) ?? fakePart(air, before))) as LoadedParts[T]
      parts.set(air, part)
      return { part, release: hold(air) }
    },
    useSteeredUnet: async ({ controlNets: airs, ipAdapters }) => {
      await loadGate()
      if (ipAdapters.length > 0) throw new ModelError('the fake networks know no IP-Adapters')
      const bad = airs.find((air) => air.startsWith('broken:'))
      if (bad !== undefined) throw new ModelError(`${bad} is broken`, { air: bad })
      const controlNets = airs.map((air) => ({ air, maps: 2, isPooled: false }))
      return { part: { unet: controlledUnet(before), takesStates: true, controlNets, ipAdapters: [], relativeCost: 2 }, release: hold(airs.join(' ')) }
    },
    useImageEncoder: async () => {
      throw new ModelError('the fake networks know no IP-Adapters')
    },
    loaded: () => [...models.keys()],
    hold,
    release: () => {
      isReleased = true
      return Promise.resolve()
    },
  }
}

export interface FakeEngine {
  readonly engine: StepLoopEngine
  readonly loader: FakeLoader
  /** Every run of a network, in order. */
  readonly runs: readonly RunReport[]
}

export interface FakeEngineOptions {
  readonly maxRows?: number
  readonly warmUpRows?: readonly number[]
  readonly warmsUpEncoder?: boolean
  readonly before?: BeforeRun
  /** What the loading of a model waits for. */
  readonly loadGate?: () => Promise<unknown>
}

export function fakeEngine({ maxRows = 8, warmUpRows, warmsUpEncoder = true, before, loadGate }: FakeEngineOptions = {}): FakeEngine {
  const runs: RunReport[] = []
  const loader = fakeLoader(before, loadGate)
  const cache = new EmbedsCache(1_000_000)
  const engine = new StepLoopEngine({
    device: { type: 'cpu' },
    loader,
    maxRows,
    ...(warmUpRows && { warmUpRows }),
    warmsUpEncoder,
    createPipeline: (model) => new StableDiffusionPipeline({
      model,
      tokenizers: [fakeTokenizer],
      cache,
      runNetwork: createNetworkRunner(model.spec.air, (report) => runs.push(report), () => 0),
      createNoiseSchedulerRun: fakeNoiseSchedulerRun,
      createNoiseSource: fakeNoiseSource,
      roundRank: (rank) => rank,
    }),
  })
  return { engine, loader, runs }
}

/** A small request; every field can be set. */
export function request<Image = never>(id: string, fields: Partial<GenerationRequest<Image>> = {}): GenerationRequest<Image> {
  return {
    id, owner: 'owner', model: 'fake:1@1', prompt: 'a cat', negativePrompt: '', width: 64, height: 64,
    totalSteps: 4, noiseScheduler: 'Default', guidanceScale: 5, clipSkip: 0, seed: 7, ...fields,
  }
}

/** A signal that never fires. */
export const never = new AbortController().signal
