import type { DecodedRequest, GeneratedImage, GenerationRequest, RgbImage } from './core/generation-request.ts'
import type { Engine } from './engine.ts'
import type { Device } from './runtime/model-session.ts'

/** An engine that takes pictures as files: it decodes them before a generation enters the step loop, which takes pixels. */
export class DecodingEngine implements Engine {
  readonly #inner: Engine<RgbImage>
  readonly #decode: (request: GenerationRequest) => Promise<DecodedRequest>

  /** @param decode throws an EngineError that names the field of a picture that cannot be used */
  constructor(inner: Engine<RgbImage>, decode: (request: GenerationRequest) => Promise<DecodedRequest>) {
    this.#inner = inner
    this.#decode = decode
  }

  get device(): Device {
    return this.#inner.device
  }

  get size(): number {
    return this.#inner.size
  }

  async generate(request: GenerationRequest, signal: AbortSignal): Promise<GeneratedImage> {
    signal.throwIfAborted()
    return this.#inner.generate(await this.#decode(request), signal)
  }

  warmUp(model: string): Promise<void> {
    return this.#inner.warmUp(model)
  }

  stop(): Promise<void> {
    return this.#inner.stop()
  }
}
