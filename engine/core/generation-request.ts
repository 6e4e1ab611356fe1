/**
 * What the engine is asked to do for one picture: one seed, one image.
 *
 * Every value is final: defaults are filled in and ranges are checked before a request reaches the engine.
 */
export interface GenerationRequest {
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
  /** 0 to 2^53-1. Noise depends on its low 32 bits only, as in PyTorch's CPU generator. */
  readonly seed: number
}

/** A decoded picture: 8-bit RGB, row-major, three bytes a pixel. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}
