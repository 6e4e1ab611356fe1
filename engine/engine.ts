import type { ModelPrecision } from './architectures/integer-layers.ts'
import type { EncodedImage, GeneratedImage, GenerationRequest } from './core/generation-request.ts'
import type { ModelRegistry } from './models/model-spec.ts'
import type { Device } from './runtime/model-session.ts'

/** What an engine needs to know; every cap has a default in the configuration, none here. */
export interface EngineOptions {
  readonly registry: ModelRegistry
  readonly device: Device
  /** How UNets compute; whole numbers only on the processor. @default what suits the device */
  readonly precision?: ModelPrecision
  /** Intra-op threads of the runtime on the CPU. */
  readonly threads: number
  /** Bytes of weights that may be open at once. */
  readonly weightsBudgetBytes: number
  /** Most UNet rows in one run (guidance takes two rows a generation). */
  readonly maxRows: number
  /** Most latent cells (rows times height times width) in one run. @default what pays on the device */
  readonly maxCells?: number
  /** Called after every run of a network, for metrics and tests; must not throw. */
  readonly onRun?: (report: RunReport) => void
}

/** What one run of a network did. */
export interface RunReport {
  readonly stage: 'encodeImage' | 'encodePrompt' | 'projectPrompt' | 'denoise' | 'decode' | 'checkContent'
  readonly model: string
  /** Rows of the run: a generation with guidance takes two in `denoise`. */
  readonly rows: number
  /** Ids of the generations that took part. */
  readonly generations: readonly string[]
  readonly durationMs: number
}

/**
 * Turns generation requests into pictures, many at once on one device.
 *
 * Guarantees: the same request gives the same picture alone and in any batch; a cancelled generation leaves
 * between two steps and never disturbs the others; a failing generation rejects alone.
 * `Image` is how its requests give pictures.
 */
export interface Engine<Image = EncodedImage> {
  readonly device: Device
  /**
   * Adds a generation; it joins the running batch at the next step.
   * Rejects with the signal's reason when cancelled, with a ModelError when the model cannot be loaded,
   * with an EngineError when the picture could not be computed.
   */
  generate(request: GenerationRequest<Image>, signal: AbortSignal): Promise<GeneratedImage>
  /** Loads a model and runs each of its networks once, so that the first request does not pay for it. */
  warmUp(model: string): Promise<void>
  /** Generations inside, for admission and metrics. */
  readonly size: number
  /** Cancels what is inside, releases all sessions; idempotent. */
  stop(): Promise<void>
}
