import { setMaxListeners } from 'node:events'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { Engine } from '../engine.ts'
import { EngineError } from '../engine-error.ts'
import { airKey } from '../models/air.ts'
import type { LoadedModel, ModelLoader } from '../models/loaded-model.ts'
import type { Pipeline } from '../pipelines/pipeline.ts'
import type { Device } from '../runtime/model-session.ts'
import { Executor, type StepOutcome } from './executor.ts'
import type { DecodedRequest, GeneratedImage, RgbImage } from './generation-request.ts'
import { Generation } from './generation.ts'
import { loadParts } from './load-parts.ts'
import { RowCaps } from './row-caps.ts'
import { StepScheduler } from './step-scheduler.ts'
import { WakeUp } from './wake-up.ts'
import { warmUpRequests } from './warm-up-requests.ts'

/** What the step loop works with. */
export interface StepLoopOptions {
  readonly device: Device
  readonly loader: ModelLoader
  readonly createPipeline: (model: LoadedModel) => Pipeline
  /** Most UNet rows in one run. */
  readonly maxRows: number
  /** Most latent cells in one run; a picture with guidance runs in one however large it is. @default Infinity */
  readonly maxCells?: number
  /** Numbers of UNet rows that a warm-up runs. @default those of one picture with guidance */
  readonly warmUpRows?: readonly number[]
  /** Whether a warm-up begins with a picture, which opens and runs the VAE's encoder. @default true */
  readonly warmsUpEncoder?: boolean
}

/** A generation inside, and what to let go of when it leaves. */
interface Entry {
  readonly generation: Generation
  readonly stopListening: () => void
  /** Let go of what it holds: its model, and what it uses beside it. */
  readonly releases: (() => void)[]
}

/** The engine: a loop of steps over the generations that are inside. */
export class StepLoopEngine implements Engine<RgbImage> {
  readonly device: Device
  readonly #loader: ModelLoader
  readonly #createPipeline: (model: LoadedModel) => Pipeline
  /** One pipeline for each loaded model; it goes with the model. */
  readonly #pipelines = new WeakMap<LoadedModel, Pipeline>()
  readonly #stepScheduler: StepScheduler
  readonly #executor: Executor
  readonly #entries = new Map<string, Entry>()
  readonly #cancellations: { readonly generation: Generation; readonly reason: unknown }[] = []
  readonly #warmUpRows: readonly number[]
  readonly #warmsUpEncoder: boolean
  readonly #wakeUp = new WakeUp()
  readonly #loop: Promise<void>
  /** Those that wait for their models, in the order they came. */
  readonly #modelLine: Entry[] = []
  #servesModelLine = false
  #isStopped = false

  constructor({ device, loader, createPipeline, maxRows, maxCells = Infinity, warmUpRows = [2], warmsUpEncoder = true }: StepLoopOptions) {
    if (!Number.isSafeInteger(maxRows) || maxRows < 1) throw new RangeError(`maxRows: expected a whole number from 1, got ${maxRows}`)
    const rowCaps = new RowCaps({ maxRows, maxCells })
    this.device = device
    this.#loader = loader
    this.#createPipeline = createPipeline
    this.#stepScheduler = new StepScheduler(rowCaps)
    this.#executor = new Executor(rowCaps)
    this.#warmUpRows = warmUpRows
    this.#warmsUpEncoder = warmsUpEncoder
    this.#loop = this.#run()
  }

  get size(): number {
    return this.#entries.size
  }

  async generate(request: DecodedRequest, signal: AbortSignal): Promise<GeneratedImage> {
    signal.throwIfAborted()
    if (this.#isStopped) throw stoppedError()
    if (this.#entries.has(request.id)) throw new Error(`generation ${request.id} is already in the engine`)
    const generation = new Generation(request)
    const cancel = () => this.#cancel(generation, signal.reason)
    const entry = { generation, stopListening: () => signal.removeEventListener('abort', cancel), releases: [] }
    this.#entries.set(request.id, entry)
    // One signal may stand for all pictures of a task; each listener leaves with its generation.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', cancel, { once: true })
    this.#modelLine.push(entry)
    void this.#serveModelLine()
    return generation.image
  }

  async warmUp(model: string): Promise<void> {
    const { spec } = await this.#loader.load(model)
    for (const rows of this.#warmUpRows) {
      const signal = new AbortController().signal
      await Promise.all(warmUpRequests(spec, rows, this.#warmsUpEncoder).map((request) => this.generate(request, signal)))
    }
  }

  /** One step: nothing to do → false; else plan, execute, update. */
  async step(): Promise<boolean> {
    this.#applyCancellations()
    const plan = this.#stepScheduler.plan(this.#generations())
    if (plan.type === 'idle') return false
    for (const outcome of await this.#executor.execute(plan)) this.#update(outcome)
    return true
  }

  async stop(): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true
      for (const { generation } of this.#entries.values()) this.#cancel(generation, stoppedError())
      this.#wakeUp.call()
    }
    await this.#loop
    await this.#loader.release()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      if (!(await this.#guardedStep())) await this.#wakeUp.sleep()
      // Messages and cancellations come in between two steps, because the runtime blocks the thread during one;
      // after a sleep, requests that arrive together join together.
      await yieldToEventLoop()
    }
    this.#applyCancellations()
  }

  /** A step that throws is a bug of the engine; what is inside must not wait for ever for it. */
  async #guardedStep(): Promise<boolean> {
    try {
      return await this.step()
    } catch (cause) {
      const error = new EngineError('inferenceError', 'the engine failed between two steps', { cause })
      for (const { generation } of [...this.#entries.values()]) this.#finish(generation, () => generation.fail(error))
      return false
    }
  }

  #generations(): readonly Generation[] {
    return [...this.#entries.values()].map(({ generation }) => generation)
  }

  /**
   * Generations get their models in the order they came, and with the first one all that wait for the same checkpoint by
   * then, so that one load serves many. Who comes later waits behind the others: newcomers that keep the open models in use
   * do not starve one that waits for room for its model. For a model that is open the line costs nothing.
   */
  async #serveModelLine(): Promise<void> {
    if (this.#servesModelLine) return
    this.#servesModelLine = true
    for (let first = this.#modelLine[0]; first !== undefined; first = this.#modelLine[0]) {
      const checkpoint = airKey(first.generation.request.model)
      const isServed = ({ generation }: Entry) => airKey(generation.request.model) === checkpoint
      const served = this.#modelLine.filter(isServed)
      this.#modelLine.splice(0, Infinity, ...this.#modelLine.filter((entry) => !isServed(entry)))
      for (const entry of served) await this.#attachModel(entry)
    }
    this.#servesModelLine = false
  }

  async #attachModel(entry: Entry): Promise<void> {
    const { generation } = entry
    if (generation.isFinished) return
    try {
      entry.releases.push(this.#loader.hold(generation.request.model))
      const model = await this.#loader.load(generation.request.model)
      if (generation.isFinished) return
      const { part: parts, release } = await loadParts(this.#loader, model, generation.request)
      if (generation.isFinished) return release()
      entry.releases.push(release)
      generation.attach(this.#pipelineOf(model), parts, parts.refiner && this.#pipelineOf(parts.refiner))
    } catch (error) {
      if (!generation.isFinished) this.#finish(generation, () => generation.fail(error))
    }
    this.#wakeUp.call()
  }

  #pipelineOf(model: LoadedModel): Pipeline {
    const known = this.#pipelines.get(model)
    if (known !== undefined) return known
    const pipeline = this.#createPipeline(model)
    this.#pipelines.set(model, pipeline)
    return pipeline
  }

  #cancel(generation: Generation, reason: unknown): void {
    this.#cancellations.push({ generation, reason })
    this.#wakeUp.call()
  }

  #applyCancellations(): void {
    for (const { generation, reason } of this.#cancellations.splice(0)) {
      if (!generation.isFinished) this.#finish(generation, () => generation.cancel(reason))
    }
  }

  #update(outcome: StepOutcome): void {
    const { generation } = outcome
    if (generation.isFinished) return
    switch (outcome.type) {
      case 'imagesEncoded':
        return generation.take(outcome.images)
      case 'prepared':
        return generation.start(outcome.state)
      case 'stepped':
        return generation.handOver()
      case 'decoded':
        if (generation.request.checkContent) return generation.keepUnchecked(outcome.image)
        return this.#finish(generation, () => generation.complete(outcome.image))
      case 'checked':
        return this.#finish(generation, () => generation.complete({ ...outcome.image, isSensitive: outcome.isSensitive }))
      case 'failed':
        return this.#finish(generation, () => generation.fail(outcome.error))
      default:
        throw new Error(`unknown outcome ${JSON.stringify(outcome satisfies never)}`)
    }
  }

  #finish(generation: Generation, settle: () => void): void {
    const entry = this.#entries.get(generation.id)
    this.#entries.delete(generation.id)
    entry?.stopListening()
    for (const release of entry?.releases ?? []) release()
    settle()
  }
}

function stoppedError(): EngineError {
  return new EngineError('stopped', 'the engine was stopped')
}
