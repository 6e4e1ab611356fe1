import type { DenoiseState, ImageLatents, Pipeline, RequestParts } from '../pipelines/pipeline.ts'
import type { DecodedRequest, GeneratedImage, RgbImage } from './generation-request.ts'
import { GenerationStatus, isFinished } from './generation-status.ts'

const transitions: Readonly<Record<GenerationStatus, readonly GenerationStatus[]>> = {
  [GenerationStatus.waiting]: [GenerationStatus.running, GenerationStatus.failed, GenerationStatus.cancelled],
  [GenerationStatus.running]: [GenerationStatus.completed, GenerationStatus.failed, GenerationStatus.cancelled],
  [GenerationStatus.completed]: [],
  [GenerationStatus.failed]: [],
  [GenerationStatus.cancelled]: [],
}

/**
 * One seed on its way to one picture.
 *
 *     waiting ──▶ running ──▶ completed
 *        └───────────┴──────▶ failed | cancelled
 *
 * There are no phases: every step tries to let `stepsDone` catch up with `totalSteps`; what still lacks
 * (a model, latents, a picture) is told from the fields. Between two steps a refiner's pipeline may take the place of
 * the model's own; the prompts are then encoded for it.
 */
export class Generation {
  readonly request: DecodedRequest
  /** Settles with the picture or with what kept it away. */
  readonly image: Promise<GeneratedImage>
  readonly #resolve: (image: GeneratedImage) => void
  readonly #reject: (reason: unknown) => void
  #status: GenerationStatus = GenerationStatus.waiting
  #pipeline: Pipeline | undefined
  #parts: RequestParts = {}
  #images: ImageLatents | undefined
  #state: DenoiseState | undefined
  /** Takes the last steps over. */
  #refiner: Pipeline | undefined
  /** Whether the latents wait for a pipeline to encode the prompts and go on with them. */
  #isHandedOver = false
  /** Steps that other pipelines have made. */
  #stepsBefore = 0
  #uncheckedImage: RgbImage | undefined

  constructor(request: DecodedRequest) {
    this.request = request
    const { promise, resolve, reject } = withResolvers<GeneratedImage>()
    this.image = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  get id(): string {
    return this.request.id
  }

  get owner(): string {
    return this.request.owner
  }

  get status(): GenerationStatus {
    return this.#status
  }

  /** The pipeline that goes on with it, once the models are loaded. */
  get pipeline(): Pipeline | undefined {
    return this.#pipeline
  }

  /** What it uses beside its model; nothing before that is loaded. */
  get parts(): RequestParts {
    return this.#parts
  }

  /** Latents of its pictures, once they are encoded and until it starts. */
  get images(): ImageLatents | undefined {
    return this.#images
  }

  /** Whether it waits for its pictures to be encoded. */
  get needsImages(): boolean {
    return this.#state === undefined && this.#images === undefined && this.#pipeline?.needsImages(this.request) === true
  }

  /** Its latents, once its prompts are encoded. */
  get state(): DenoiseState | undefined {
    return this.#state
  }

  /** Whether the next thing is a step or the decoding. */
  get isPrepared(): boolean {
    return this.#state !== undefined && !this.#isHandedOver
  }

  get stepsDone(): number {
    return this.#stepsBefore + (this.isPrepared ? (this.#state?.evaluation ?? 0) : 0)
  }

  /** Evaluations of the network that the picture takes; second-order noise schedulers take more than the request's steps. */
  get totalSteps(): number {
    if (this.#state === undefined) return this.request.totalSteps
    return (this.#isHandedOver ? 0 : this.#stepsBefore) + this.#state.run.timesteps.length
  }

  /** Its picture, while its content waits to be checked. */
  get uncheckedImage(): RgbImage | undefined {
    return this.#uncheckedImage
  }

  /** Whether the latents are done: decoding, and the check of the picture where the request asks for it, are left. */
  get isDenoised(): boolean {
    return this.isPrepared && this.#refiner === undefined && this.stepsDone >= this.totalSteps
  }

  get isFinished(): boolean {
    return isFinished(this.#status)
  }

  /** The model and what is used beside it are loaded: the generation may be planned from now on. */
  attach(pipeline: Pipeline, parts: RequestParts, refiner?: Pipeline): void {
    this.#pipeline = pipeline
    this.#parts = parts
    this.#refiner = refiner
  }

  /** The pictures are encoded. */
  take(images: ImageLatents): void {
    this.#images = images
  }

  /** The prompts are encoded and the latents prepared, by the model's pipeline or later by a refiner's. */
  start(state: DenoiseState): void {
    if (this.#status !== GenerationStatus.running) this.#to(GenerationStatus.running)
    this.#state = state
    this.#images = undefined
    this.#isHandedOver = false
    this.handOver()
  }

  /** Changes to the refiner's pipeline where the model's own has made its last step. */
  handOver(): void {
    if (this.#refiner === undefined || this.#state === undefined || this.#state.evaluation < this.#state.end) return
    this.#stepsBefore = this.#state.evaluation
    this.#pipeline = this.#refiner
    this.#refiner = undefined
    this.#isHandedOver = true
    // What was loaded for the model's networks does not fit the refiner's; the rest is the picture's and the prompts'.
    const { vae, safetyChecker, embeddings } = this.#parts
    this.#parts = { ...(vae && { vae }), ...(safetyChecker && { safetyChecker }), ...(embeddings && { embeddings }) }
  }

  /** The latents are decoded, and the picture waits to be checked. */
  keepUnchecked(image: RgbImage): void {
    this.#uncheckedImage = image
  }

  complete(image: GeneratedImage): void {
    this.#to(GenerationStatus.completed)
    this.#resolve(image)
    this.#drop()
  }

  fail(reason: unknown): void {
    this.#to(GenerationStatus.failed)
    this.#reject(reason)
    this.#drop()
  }

  cancel(reason: unknown): void {
    this.#to(GenerationStatus.cancelled)
    this.#reject(reason)
    this.#drop()
  }

  #drop(): void {
    this.#state = undefined
    this.#uncheckedImage = undefined
  }

  #to(next: GenerationStatus): void {
    if (!transitions[this.#status].includes(next)) {
      throw new Error(`generation ${this.id}: no way from status ${this.#status} to ${next}`)
    }
    this.#status = next
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  return { promise, resolve, reject }
}
