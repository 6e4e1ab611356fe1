import type { ControlNetUse, DecodedRequest, RgbImage } from '../core/generation-request.ts'
import type {
  LoadedImageEncoder, LoadedImagePrompt, LoadedLora, LoadedModel, LoadedSafetyChecker, LoadedSteeredUnet, LoadedVae, TextEmbedding,
} from '../models/loaded-model.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun, NoiseSource } from '../schedulers/noise-scheduler.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'

/** What a request uses beside its checkpoint, loaded. */
export interface RequestParts {
  /** Stands in for the checkpoint's own. */
  readonly vae?: LoadedVae
  /** The checkpoint that takes the last steps over. */
  readonly refiner?: LoadedModel
  /** Judges the finished picture; present if and only if the request asks for it. */
  readonly safetyChecker?: LoadedSafetyChecker
  readonly loras?: readonly LoraPart[]
  /** In the request's order. */
  readonly embeddings?: readonly TextEmbedding[]
  /** One for each of the request's IP-Adapters, in its order. */
  readonly imagePrompts?: readonly ImagePromptPart[]
  /** Present where the request has ControlNets or IP-Adapters. */
  readonly steered?: SteeredUnet
}

/** What makes tokens of an IP-Adapter's guide image, loaded. */
export interface ImagePromptPart {
  readonly encoder: LoadedImageEncoder
  readonly adapter: LoadedImagePrompt
}

/** A LoRA that a request takes, loaded. */
export interface LoraPart {
  readonly air: string
  readonly lora: LoadedLora
  readonly weight: number
}

/** The UNet with a request's ControlNets and IP-Adapters. */
export interface SteeredUnet extends LoadedSteeredUnet {
  /** For each of its ControlNets the place of its use in the request. */
  readonly controlNetUses: readonly number[]
  /** The same of its IP-Adapters. */
  readonly ipAdapterUses: readonly number[]
}

/** A request and all it needs. */
export interface PreparedRequest {
  readonly request: DecodedRequest
  readonly parts: RequestParts
}

/** A picture that is done but for the check of its content. */
export interface UncheckedPicture extends PreparedRequest {
  readonly image: RgbImage
}

/** Text encoder states of a prompt's chunks, one after the other. */
export interface PromptEmbeds {
  /** 77 for each chunk. */
  readonly tokens: number
  /** Row-major [tokens, contextSize]. */
  readonly data: Float32Array
  /** For UNets that take them: what each of their attentions makes of the states, row-major [heads, tokens, width of a head], in the order of the projection. */
  readonly projected?: readonly Float32Array[]
  /** For UNets that take these. */
  readonly added?: AddedConditions
}

/** What SDXL's UNet is told of a row besides its timestep and the prompt's states. */
export interface AddedConditions {
  /** The prompt as one vector: that of its first chunk. */
  readonly textEmbeds: Float32Array
  readonly timeIds: Float32Array
}

/** Text conditioning of one generation. */
export interface Conditioning {
  readonly promptEmbeds: PromptEmbeds
  /** Present if and only if the generation has guidance. */
  readonly negativePromptEmbeds?: PromptEmbeds
  /** One for each of the request's IP-Adapters, in its order. */
  readonly imagePrompts?: readonly ImagePrompt[]
}

/** The tokens that stand for a guide image, row-major [tokens, width]. */
export interface ImagePrompt {
  readonly states: Float32Array
  /** Those for no picture, which guidance sets against it. */
  readonly absentStates: Float32Array
}

/** The normal distribution of a picture's latents, as its VAE gives it. */
export interface LatentDistribution {
  readonly mean: Float32Array
  readonly deviation: Float32Array
}

/** Latents of the pictures that a generation needs. */
export interface ImageLatents {
  /** Of the picture that the denoising starts from. */
  readonly initImage?: LatentDistribution
  /** Of that picture without what is repainted, for networks that take it. */
  readonly maskedImage?: LatentDistribution
}

/** What of a picture stays while the rest is repainted. */
export interface KnownLatents {
  readonly latents: Float32Array
  /** What is added to them at every step. */
  readonly noise: Float32Array
  /** One for each latent cell: 1 where the picture is repainted, else 0. */
  readonly mask: Float32Array
}

/** Everything one generation owns while it is denoised; nothing of it is shared with its neighbours in a batch. */
export interface DenoiseState extends PreparedRequest {
  readonly conditioning: Conditioning
  /** What it takes of LoRAs in the UNet. */
  readonly loras: readonly NetworkLoraUse[]
  /** One for each ControlNet of the steered UNet, in its order; none without one. */
  readonly controls: readonly ControlNetUse<RgbImage>[]
  readonly run: NoiseSchedulerRun
  /** The noise schedule of the run. */
  readonly noiseSchedule: NoiseScheduleConfig
  readonly noise: NoiseSource
  /** Row-major [channels, height, width] in latent cells. */
  latents: Float32Array
  /** For inpainting with a network that does not know of masks. */
  readonly known?: KnownLatents
  /** What a network that knows of masks takes behind its sample: row-major [1 + channels, height, width]. */
  readonly maskInput?: Float32Array
  /** Evaluations of the network done, so also the index of the next one. */
  evaluation: number
  /** Evaluations that this pipeline makes: all of the run, or those before a refiner's. */
  readonly end: number
}

/**
 * The numbered stages of one model family, over many generations at once.
 *
 * A stage that throws has changed no state, so the caller may run it again with fewer generations.
 */
export interface Pipeline {
  /** AIR of its model. */
  readonly model: string
  /** Cost of the network for one latent cell relative to other models', at least 1: the megabytes of its weights. */
  readonly costPerUnit: number
  /** Latent cells along each side. */
  latentSize(request: DecodedRequest): { readonly width: number; readonly height: number }
  /** Whether a request has pictures that its model's VAE has to encode first. */
  needsImages(request: DecodedRequest): boolean
  /** Stage 0: encodes the pictures of requests of the same size, at most `maxRows` in one run. */
  encodeImages(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly ImageLatents[]>
  /** Stage 1: encodes the prompts of all requests, at most `maxRows` chunks of text or prompts in one run. */
  encodePrompts(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly Conditioning[]>
  /** Stage 2: draws the first latents and starts the noise scheduler. Throws an EngineError that names the parameter. */
  prepareLatents(request: PreparedRequest, conditioning: Conditioning, images: ImageLatents): DenoiseState
  /**
   * Stage 2 of a refiner: goes on with the latents another pipeline has left at its `end`.
   * @param parts what the request still uses beside this pipeline's model
   */
  takeOver(state: DenoiseState, parts: RequestParts, conditioning: Conditioning): DenoiseState
  /**
   * Stage 3: one evaluation of the network for each state, at most `maxRows` rows in one run.
   * All states have the same latent size and the same steered UNet or none. Gives the error of each state that failed by itself.
   */
  denoise(states: readonly DenoiseState[], maxRows: number): Promise<readonly (Error | undefined)[]>
  /** Stage 4: turns latents of the same size, for the same VAE, into pictures, at most `maxRows` in one run. */
  decode(states: readonly DenoiseState[], maxRows: number): Promise<readonly RgbImage[]>
  /** Stage 5, where a request asks for it: whether each picture shows sensitive content, at most `maxRows` in one run. */
  checkContent(pictures: readonly UncheckedPicture[], maxRows: number): Promise<readonly boolean[]>
}
