/** A picture as a file: PNG, JPG or WEBP, as it came from outside. */
export type EncodedImage = Uint8Array

/**
 * What the engine is asked to do for one picture: one seed, one image.
 *
 * Every value is final: defaults are filled in and ranges are checked before a request reaches the engine.
 * `Image` is how pictures are given: a queue holds references, the engine takes files, the step loop takes pixels.
 * A field that holds pictures is listed in `mapImages` too.
 */
export interface GenerationRequest<Image = EncodedImage> {
  /** Unique among the generations that are in the engine. */
  readonly id: string
  /** Who the work is done for; the step scheduler shares the device fairly between owners. */
  readonly owner: string
  /** AIR of the checkpoint. */
  readonly model: string
  /** Empty for an unconditional picture. */
  readonly prompt: string
  readonly negativePrompt: string
  /** Pixels, a multiple of 64. */
  readonly width: number
  /** Pixels, a multiple of 64. */
  readonly height: number
  readonly totalSteps: number
  /** A name that `resolveNoiseScheduler` accepts; `Default` is the model's own. */
  readonly noiseScheduler: string
  /** Classifier-free guidance scale; guidance is off at 1 or less. */
  readonly guidanceScale: number
  /** Text encoder layers skipped on top of the model's own choice, 0 to 2. */
  readonly clipSkip: number
  /** The syntax in which the prompts say how strongly their parts are meant; plain text without it. */
  readonly promptWeighting?: 'compel' | 'sdEmbeds'
  /** Learnt embeddings that the prompts may name; one that neither of them names stands at the end of the prompt. */
  readonly embeddings?: readonly EmbeddingUse[]
  /** AIR of a VAE to use in place of the checkpoint's own. */
  readonly vae?: string
  /** Added to the checkpoint's networks, all at once. */
  readonly loras?: readonly LoraUse[]
  /** Pictures that steer beside the prompt, all at once. */
  readonly ipAdapters?: readonly IpAdapterUse<Image>[]
  /** 0 to 2^53-1. Noise depends on its low 32 bits only, as in PyTorch's CPU generator. */
  readonly seed: number
  /** Another checkpoint that takes the last steps over. */
  readonly refiner?: RefinerUse
  /** Whether the finished picture is judged by the model's safety checker. @default false */
  readonly checkContent?: boolean
  /** Picture that the denoising starts from. */
  readonly initImage?: Image
  /** How much of `initImage` is given up, 0 to 1: the share of the steps that are made. Present if and only if that is. */
  readonly strength?: number
  /** Which part of `initImage` is repainted: white; black stays. */
  readonly mask?: Image
  /** Zooms into the mask: pixels around it that are seen with it. The picture outside that part is not computed. */
  readonly maskMargin?: number
  /** Paints around `initImage`; then there is no mask. */
  readonly outpainting?: Outpainting
  /** What steers the picture beside the prompt, several at once. */
  readonly controlNets?: readonly ControlNetUse<Image>[]
}

/** A checkpoint that goes on where another has begun, of a family that `canRefine` the other's. */
export interface RefinerUse {
  /** AIR of the checkpoint. */
  readonly model: string
  /** Its first step, counted from 1: from 2 to the request's `totalSteps`. */
  readonly startStep: number
}

/** A LoRA that a request takes, and how strongly. */
export interface LoraUse {
  /** AIR of the LoRA. */
  readonly model: string
  /** -4 to 4; negative for the opposite. */
  readonly weight: number
}

/** One use of a ControlNet in a request. */
export interface ControlNetUse<Image> {
  /** AIR of the ControlNet. */
  readonly model: string
  /** Says what to keep to in the form the ControlNet was trained on: edges, depth, a pose. Stretched to the picture's size. */
  readonly guideImage: Image
  /** How much of it is taken, 0 to 1. */
  readonly weight: number
  /** Shares of the denoising, 0 to 1, between which it has a say. */
  readonly start: number
  readonly end: number
  readonly controlMode: ControlMode
}

/**
 * Which of the prompt and the guide image prevails where they disagree: neither; the prompt, as finer maps of the ControlNet
 * count for less; or the ControlNet, whose maps count for less too, but for the prompt's own prediction only, so that guidance
 * strengthens them.
 */
export type ControlMode = 'balanced' | 'prompt' | 'controlNet'

/** An IP-Adapter, the picture that it shows to the network, and how much of it is taken. */
export interface IpAdapterUse<Image = EncodedImage> {
  /** AIR of the IP-Adapter. */
  readonly model: string
  /** Of any size. */
  readonly guideImage: Image
  /** 0 to 1. */
  readonly weight: number
}

/** How far a picture is extended on each side, in pixels. */
export interface Outpainting {
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly left: number
  /** Pixels inside the picture over which it fades into what is painted. */
  readonly blur: number
}

/** A learnt embedding and how strong it is. */
export interface EmbeddingUse {
  /** Its AIR. */
  readonly model: string
  /** What its vectors are multiplied with. */
  readonly weight: number
}

/** A request as the step loop takes it: its pictures decoded, of the request's size but for IP-Adapters' guide images, and the mask grey. */
export type DecodedRequest = GenerationRequest<RgbImage>

/** A decoded picture: 8-bit RGB, row-major, three bytes a pixel. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** A finished picture. */
export interface GeneratedImage extends RgbImage {
  /** Whether it shows sensitive content; present if and only if the request asked for the check. */
  readonly isSensitive?: boolean
}
