import type { ModelPrecision } from '../architectures/integer-layers.ts'
import type { Runtime } from '../runtime/model-session.ts'
import { airKey } from './air.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import { imageEncoderModel, imageEncoderSpec } from './image-encoder-model.ts'
import { loadCheckpoint } from './load-checkpoint.ts'
import { loadPart, partKey } from './load-part.ts'
import { loadSteeredUnet } from './load-steered-unet.ts'
import type { Held, LoadedImageEncoder, LoadedModel, LoadedParts, LoadedSteeredUnet, ModelLoader, PartType, SteeringAirs } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { modelFailure } from './model-failure.ts'
import { ModelType } from './model-spec.ts'
import type { ModelRegistry, ModelSpec } from './model-spec.ts'
import { WeightsBudget } from './weights-budget.ts'
import type { OpenModel } from './weights-budget.ts'

export interface ModelLoaderOptions {
  readonly registry: ModelRegistry
  readonly runtime: Runtime
  /** How UNets compute. @default what suits the device */
  readonly precision?: ModelPrecision
  /** Bytes of weights that may be open at once. */
  readonly weightsBudgetBytes: number
}

/** Opens a model. `makeRoom` is awaited before the model takes its bytes. */
type Opener<T> = (makeRoom: (bytes: number) => Promise<void>) => Promise<OpenModel<T>>

/**
 * Gives models by AIR; opens each once, at its first use, and releases the least recently used one that nobody holds when
 * the next needs its room. Models are opened one after the other. When all that are open are in use, a load waits until
 * one of them is not; a model that is larger than the whole budget is refused.
 */
export function createModelLoader(options: ModelLoaderOptions): ModelLoader {
  return new BudgetedLoader(options)
}

class BudgetedLoader implements ModelLoader {
  readonly #registry: ModelRegistry
  readonly #runtime: Runtime
  readonly #precision: ModelPrecision
  readonly #budget: WeightsBudget
  /** Loads by key, running and finished; a failed one leaves, so that the next request tries again. */
  readonly #loads = new Map<string, Promise<unknown>>()
  #line: Promise<unknown> = Promise.resolve()
  #isReleased = false

  constructor({ registry, runtime, precision = 'default', weightsBudgetBytes }: ModelLoaderOptions) {
    this.#registry = registry
    this.#runtime = runtime
    this.#precision = precision
    this.#budget = new WeightsBudget(weightsBudgetBytes, key => this.#loads.delete(key))
  }

  async load(air: string): Promise<LoadedModel> {
    const spec = this.#specOf(air, ModelType.checkpoint)
    return this.#load(spec, airKey(air), [], makeRoom => loadCheckpoint(spec, this.#runtime, this.#registry, this.#precision, makeRoom))
  }

  async usePart<T extends PartType>(type: T, air: string, base: LoadedModel, beside: readonly string[] = []): Promise<Held<LoadedParts[T]>> {
    const spec = this.#specOf(air, type)
    const context = { base, runtime: this.#runtime, precision: this.#precision, registry: this.#registry }
    return this.#use(spec, partKey(type, spec, base), [base.spec.air, ...beside], makeRoom => loadPart(type, spec, { ...context, makeRoom }))
  }

  async useSteeredUnet(airs: SteeringAirs, base: LoadedModel, beside: readonly string[] = []): Promise<Held<LoadedSteeredUnet>> {
    const controlNets = airs.controlNets.map(air => this.#specOf(air, ModelType.controlNet))
    const ipAdapters = airs.ipAdapters.map(air => this.#specOf(air, ModelType.ipAdapter))
    const spec = { ...base.spec, air: `${base.spec.air} with ${[...controlNets, ...ipAdapters].map(({ air }) => air).join(' and ')}` }
    const context = { base, runtime: this.#runtime, precision: this.#precision }
    return this.#use(spec, airKey(spec.air), [base.spec.air, ...beside], makeRoom => loadSteeredUnet(spec, { controlNets, ipAdapters }, { ...context, makeRoom }))
  }

  async useImageEncoder(air: string, base: LoadedModel, beside: readonly string[] = []): Promise<Held<LoadedImageEncoder>> {
    const spec = imageEncoderSpec(this.#specOf(air, ModelType.ipAdapter), this.#registry)
    const open: Opener<LoadedImageEncoder> = async makeRoom => openCompiled(spec, await imageEncoderModel(spec, loweringOf(this.#runtime)), this.#runtime, makeRoom)
    return this.#use(spec, airKey(spec.air), [base.spec.air, ...beside], open)
  }

  loaded(): readonly string[] {
    return this.#budget.models().map(({ spec }) => spec.air)
  }

  hold(air: string): () => void {
    return this.#budget.hold(airKey(air))
  }

  async release(): Promise<void> {
    this.#isReleased = true
    this.#budget.close(stoppedError())
    await this.#line
    await this.#budget.releaseAll()
  }

  /** Loads something and holds it from before its load, so that it cannot leave in between. */
  async #use<T>(spec: ModelSpec, key: string, beside: readonly string[], open: Opener<T>): Promise<Held<T>> {
    const release = this.#budget.hold(key)
    try {
      return { part: await this.#load(spec, key, beside, open), release }
    } catch (error) {
      release()
      throw error
    }
  }

  #load<T>(spec: ModelSpec, key: string, beside: readonly string[], open: Opener<T>): Promise<T> {
    this.#budget.touch(key)
    // An entry of one type is never asked for as another, so what is open under a key is of this type.
    const known = this.#loads.get(key) as Promise<T> | undefined
    if (known) return known
    const load = this.#line.then(() => this.#open(spec, key, beside, open))
    this.#loads.set(key, load)
    this.#line = load.catch(() => {
      if (this.#loads.get(key) === load) this.#loads.delete(key)
    })
    return load
  }

  #specOf(air: string, type: ModelType): ModelSpec {
    if (this.#isReleased) throw stoppedError()
    const spec = this.#registry.find(air)
    if (!spec) {
      const broken = this.#registry.broken.find(entry => airKey(entry.air) === airKey(air))
      throw new ModelError(broken ? `the model ${broken.air} cannot be used: ${broken.reason}` : `there is no model ${JSON.stringify(air)}`, { air })
    }
    if (spec.type !== type) throw new ModelError(`${spec.air} is ${withArticle(spec.type)}, not ${withArticle(type)}`, { air })
    return spec
  }

  async #open<T>(spec: ModelSpec, key: string, beside: readonly string[], open: Opener<T>): Promise<T> {
    if (this.#isReleased) throw stoppedError()
    try {
      const opened = await open(bytes => this.#budget.makeRoom(bytes, spec.air, beside))
      this.#budget.add(key, opened)
      return opened.model
    } catch (cause) {
      const reason = modelFailure(cause)
      if (reason === undefined) throw cause
      const { air = spec.air } = cause instanceof ModelError ? cause : {}
      throw new ModelError(`the model ${air} cannot be loaded: ${reason}`, { cause, air })
    }
  }
}

function withArticle(type: ModelType): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
}

function stoppedError(): ModelError {
  return new ModelError('the engine is stopping')
}
