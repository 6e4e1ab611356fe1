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
  /** AIR of a VAE to use in place of the checkpoint's own. */
  readonly vae?: string
  /** Added to the checkpoint's networks, all at once. */
  readonly loras?: readonly LoraUse[]
  /** 0 to 2^53-1. Noise depends on its low 32 bits only, as in PyTorch's CPU generator. */
  readonly seed: number
  /** Another checkpoint that takes the last steps over. */
  readonly refiner?: RefinerUse
  /** Whether the finished picture is judged by the model's safety checker. @default false */
  readonly checkContent?: boolean
  /** Picture that the denoising starts from, any size. */
  readonly initImage?: Image
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

/** A request as the step loop takes it: its pictures decoded. */
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
