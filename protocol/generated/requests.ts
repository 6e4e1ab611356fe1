// Generated from schemas/ by `npm run generate`; do not edit.
/**
 * Opens or resumes a session; the first task of every connection.
 */
export interface AuthenticationRequest {
  /**
   * What to do; results carry it exactly as it was sent.
   */
  readonly taskType: string
  /**
   * The key that `latentd keys create` printed.
   */
  readonly apiKey: string
  /**
   * The session to resume. An unknown, expired or malformed one starts a new session; it is never an error.
   */
  readonly connectionSessionUUID?: string
}

/**
 * Keeps the connection open; answered with a pong, also before authentication.
 */
export interface PingRequest {
  /**
   * What to do; results carry it exactly as it was sent.
   */
  readonly taskType: string
  /**
   * True by convention; an element with `ping: true` and no taskType is a ping too.
   */
  readonly ping?: boolean
}

/**
 * Computes pictures from a prompt.
 */
export interface ImageInferenceRequest {
  /**
   * What to do; results carry it exactly as it was sent.
   */
  readonly taskType: string
  /**
   * Names the task. A UUID v4 is recommended; any other text without control characters is accepted and returned byte for byte.
   */
  readonly taskUUID: string
  /**
   * What the picture shows. `__BLANK__` asks for a picture without a prompt. Lengths count code points.
   */
  readonly positivePrompt: string
  /**
   * What the picture should not show.
   */
  readonly negativePrompt?: string
  /**
   * AIR of the checkpoint, as `latentd models list` prints it.
   */
  readonly model: string
  /**
   * AIR of a VAE to use in place of the model's own.
   */
  readonly vae?: string
  /**
   * LoRAs to add to the checkpoint, all at once.
   *
   * @maxItems 20
   */
  readonly lora?: readonly LoraInput[]
  /**
   * Pixels.
   */
  readonly width?: number
  /**
   * Pixels.
   */
  readonly height?: number
  /**
   * Picture to begin with, stretched to `width` and `height`. See *Pictures that a task names*.
   */
  readonly seedImage?: string
  /**
   * How much of `seedImage` is given up: steps x strength, rounded down, are made. Without one the result is `seedImage` as the VAE gives it back.
   */
  readonly strength?: number
  /**
   * Which part of `seedImage` is repainted: white is, black stays byte for byte, grey is blended. Stretched to `width` and `height`; transparent counts as black.
   */
  readonly maskImage?: string
  /**
   * Zooms into the mask: the part of the picture around it, with this many pixels more on each side, is computed at `width` x `height` and pasted back.
   */
  readonly maskMargin?: number
  /**
   * Paints around `seedImage`: how far it is extended on each side. `width` and `height` have to be given, and to be those of `seedImage` and the extensions together.
   */
  readonly outpaint?: {
    /**
     * Pixels above the picture.
     */
    readonly top: number
    /**
     * Pixels to its right.
     */
    readonly right: number
    /**
     * Pixels below it.
     */
    readonly bottom: number
    /**
     * Pixels to its left.
     */
    readonly left: number
    /**
     * Pixels inside `seedImage` over which it fades into what is painted around it.
     */
    readonly blur: number
  }
  /**
   * The same as `outpaint`; one of the two.
   */
  readonly outpainting?: {
    /**
     * Pixels above the picture.
     */
    readonly top: number
    /**
     * Pixels to its right.
     */
    readonly right: number
    /**
     * Pixels below it.
     */
    readonly bottom: number
    /**
     * Pixels to its left.
     */
    readonly left: number
    /**
     * Pixels inside `seedImage` over which it fades into what is painted around it.
     */
    readonly blur: number
  }
  /**
   * Pictures, as newer clients group them.
   */
  readonly inputs?: {
    /**
     * The same as `seedImage`; one of the two.
     */
    readonly seedImage?: string
    /**
     * The same as `maskImage`; one of the two.
     */
    readonly maskImage?: string
  }
  /**
   * Denoising iterations.
   */
  readonly steps?: number
  /**
   * Noise scheduler; an unknown name is answered with the list of all names.
   */
  readonly scheduler?: string
  /**
   * Result k of the task uses seed + k. The seed of a result never exceeds 2^53 - 1: a larger one is reduced, and the result tells the seed that gives the same picture again.
   */
  readonly seed?: number
  /**
   * Strength of classifier-free guidance; off at 1 or less.
   */
  readonly CFGScale?: number
  /**
   * Layers of the text encoder skipped on top of the model's own choice.
   */
  readonly clipSkip: number
  /**
   * IP-Adapters: pictures that steer beside the prompt, several at once.
   *
   * @maxItems 8
   */
  readonly ipAdapters?: readonly IpAdapterInput[]
  readonly refiner?: RefinerInput
  /**
   * Syntax in which the prompts say how strongly their parts are meant; upper and lower case are the same.
   */
  readonly promptWeighting?: 'compel' | 'sdEmbeds'
  /**
   * Learnt embeddings (textual inversion) that the prompts may name; one that neither names stands at the end of the positive prompt.
   *
   * @maxItems 20
   */
  readonly embeddings?: readonly EmbeddingInput[]
  /**
   * ControlNets that steer the picture by guide images, several at once.
   *
   * @maxItems 8
   */
  readonly controlNet?: readonly ControlNetInput[]
  /**
   * Pictures to compute.
   */
  readonly numberResults: number
  /**
   * How a picture is handed over: one of the values or a list of them; each adds its own field to the result.
   *
   * @minItems 1
   * @maxItems 3
   */
  readonly outputType: readonly ('URL' | 'base64Data' | 'dataURI')[]
  /**
   * File format of the picture; upper and lower case are the same.
   */
  readonly outputFormat: 'JPG' | 'PNG' | 'WEBP'
  /**
   * Compression quality of JPG and WEBP.
   */
  readonly outputQuality: number
  /**
   * `sync`: results are pushed as they are ready. `async`: the task is acknowledged at once and its state is read with `getResponse`.
   */
  readonly deliveryMethod: 'sync' | 'async'
  /**
   * Seconds the picture can be fetched under its URL; the server's own time where absent.
   */
  readonly ttl?: number
  /**
   * Adds `cost` to each result, from the server's price table.
   */
  readonly includeCost: boolean
  /**
   * Judges each picture with the model's safety checker and tells the verdict in `NSFWContent`; the picture is delivered whatever it is.
   */
  readonly checkNSFW: boolean
  /**
   * Another way to ask for the check.
   */
  readonly safety?: {
    /**
     * The same as `checkNSFW`.
     */
    readonly checkContent: boolean
  }
  /**
   * URL to which each finished picture is sent with HTTP PUT, such as a presigned one of an object store. The result is delivered all the same; it says so in `uploadError` when the upload failed. With several results the same URL gets each of them.
   */
  readonly uploadEndpoint?: string
}
export interface LoraInput {
  /**
   * AIR of the LoRA, as `latentd models list` prints it.
   */
  readonly model: string
  /**
   * How strongly it counts; negative for the opposite.
   */
  readonly weight: number
}
export interface IpAdapterInput {
  /**
   * AIR of the IP-Adapter, for the checkpoint's family.
   */
  readonly model: string
  /**
   * The picture whose content and style are taken, of any size. Given as `image` in imageUpload.
   */
  readonly guideImage: string
  /**
   * How much of it is taken.
   */
  readonly weight: number
}
/**
 * Another SDXL checkpoint that takes the last steps over; LoRAs, ControlNets and IP-Adapters act in the steps before.
 */
export interface RefinerInput {
  /**
   * AIR of the refiner.
   */
  readonly model: string
  /**
   * Its first step, counted from 1; at most `steps`.
   */
  readonly startStep?: number
  /**
   * The same as the share of the steps that come before; not both.
   */
  readonly startStepPercentage?: number
}
export interface EmbeddingInput {
  /**
   * AIR of the embedding.
   */
  readonly model: string
  /**
   * What its vectors are multiplied with.
   */
  readonly weight: number
}
export interface ControlNetInput {
  /**
   * AIR of the ControlNet, for the checkpoint's family.
   */
  readonly model: string
  /**
   * What to keep to, in the form the ControlNet was trained on (edges, depth, a pose); used as it is, stretched to the picture's size. Given as `image` in imageUpload.
   */
  readonly guideImage: string
  /**
   * How much of it is taken.
   */
  readonly weight: number
  /**
   * First step, from 1, in which it has a say; at most `steps`.
   */
  readonly startStep?: number
  /**
   * The same as a share of the steps; not both.
   */
  readonly startStepPercentage?: number
  /**
   * Last step in which it has a say; after `startStep`, at most `steps`.
   */
  readonly endStep?: number
  /**
   * The same as a share of the steps; not both.
   */
  readonly endStepPercentage?: number
  /**
   * Which prevails where prompt and guide image disagree: `balanced` neither, `prompt` the prompt, `controlnet` the guide image.
   */
  readonly controlMode: 'prompt' | 'balanced' | 'controlnet'
}

/**
 * Reads the present state of a task of the same account, whichever connection sent it.
 */
export interface GetResponseRequest {
  /**
   * What to do; results carry it exactly as it was sent.
   */
  readonly taskType: string
  /**
   * The taskUUID of the task to read.
   */
  readonly taskUUID: string
}

/**
 * Keeps a picture for later tasks of the same account; answered with its `imageUUID` and `imageURL`.
 */
export interface ImageUploadRequest {
  /**
   * What to do; results carry it exactly as it was sent.
   */
  readonly taskType: string
  /**
   * Names the task. A UUID v4 is recommended; any other text without control characters is accepted and returned byte for byte.
   */
  readonly taskUUID: string
  /**
   * The picture to keep: a URL, a data URI or base64 of a PNG, JPG or WEBP file.
   */
  readonly image: string
  /**
   * Seconds the picture can be fetched under its URL; the server's own time where absent.
   */
  readonly ttl?: number
}

/** The parameters of each supported task type. */
export interface RequestsByType {
  readonly authentication: AuthenticationRequest
  readonly ping: PingRequest
  readonly imageInference: ImageInferenceRequest
  readonly getResponse: GetResponseRequest
  readonly imageUpload: ImageUploadRequest
}
