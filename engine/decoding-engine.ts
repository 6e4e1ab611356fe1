import type { GeneratedImage, GenerationRequest, RgbImage } from './core/generation-request.ts'
import type { Engine } from './engine.ts'
import type { FittedRequest } from './fit-images.ts'
import type { Device } from './runtime/model-session.ts'

/** An engine that takes pictures as files. Before a generation enters the step loop, which takes pixels, they are decoded and brought to its size. */
export class DecodingEngine implements Engine {
  readonly #inner: Engine<RgbImage>
  readonly #fit: (request: GenerationRequest) => Promise<FittedRequest>

  constructor(inner: Engine<RgbImage>, fit: (request: GenerationRequest) => Promise<FittedRequest>) {
    this.#inner = inner
    this.#fit = fit
  }

  get device(): Device {
    return this.#inner.device
  }

  get size(): number {
    return this.#inner.size
  }

  async generate(request: GenerationRequest, signal: AbortSignal): Promise<GeneratedImage> {
    signal.throwIfAborted()
    const fitted = await this.#fit(request)
    const image = await this.#inner.generate(fitted.request, signal)
    return { ...image, ...fitted.finish(image) }
  }

  warmUp(model: string): Promise<void> {
    return this.#inner.warmUp(model)
  }

  stop(): Promise<void> {
    return this.#inner.stop()
  }
}
