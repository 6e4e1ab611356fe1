import { parseClipTextConfig } from '../architectures/clip-text-config.ts'
import { parseUnetConfig } from '../architectures/unet-config.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import { mapComponents, textEncodersOf } from '../weights/component-names.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { ModelSession, Runtime } from '../runtime/model-session.ts'
import { airKey } from './air.ts'
import { compileCheckpoint } from './compile-checkpoint.ts'
import { heldBytes } from './held-bytes.ts'
import type { LoadedModel, LoadedTextEncoder, ModelLoader, TokenizerFiles } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { modelFailure } from './model-failure.ts'
import { ModelType } from './model-spec.ts'
import type { ModelRegistry, ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import { WeightsBudget } from './weights-budget.ts'

export interface ModelLoaderOptions {
  readonly registry: ModelRegistry
  readonly runtime: Runtime
  /** Bytes of weights that may be open at once. */
  readonly weightsBudgetBytes: number
}

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
  readonly #budget: WeightsBudget
  /** Loads by key, running and finished; a failed one leaves, so that the next request tries again. */
  readonly #loads = new Map<string, Promise<LoadedModel>>()
  #line: Promise<unknown> = Promise.resolve()
  #isReleased = false

  constructor({ registry, runtime, weightsBudgetBytes }: ModelLoaderOptions) {
    this.#registry = registry
    this.#runtime = runtime
    this.#budget = new WeightsBudget(weightsBudgetBytes, key => this.#loads.delete(key))
  }

  async load(air: string): Promise<LoadedModel> {
    const spec = this.#specOf(air)
    const key = airKey(air)
    this.#budget.touch(key)
    const known = this.#loads.get(key)
    if (known) return known
    const load = this.#line.then(() => this.#open(spec, key))
    this.#loads.set(key, load)
    this.#line = load.catch(() => {
      if (this.#loads.get(key) === load) this.#loads.delete(key)
    })
    return load
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

  #specOf(air: string): ModelSpec {
    if (this.#isReleased) throw stoppedError()
    const spec = this.#registry.find(air)
    if (!spec) {
      const broken = this.#registry.broken.find(entry => airKey(entry.air) === airKey(air))
      throw new ModelError(broken ? `the model ${broken.air} cannot be used: ${broken.reason}` : `there is no model ${JSON.stringify(air)}`)
    }
    if (spec.type !== ModelType.checkpoint) throw new ModelError(`${spec.air} is a ${spec.type}, not a checkpoint`)
    return spec
  }

  async #open(spec: ModelSpec, key: string): Promise<LoadedModel> {
    if (this.#isReleased) throw stoppedError()
    try {
      const checkpoint = await openCheckpoint(spec.path, spec.configPath)
      const lowering: Lowering = this.#runtime.device.type === 'cuda' ? 'cuda' : 'cpu'
      const graphs = compileCheckpoint(checkpoint, lowering)
      const byteLength = heldBytes(mapComponents(checkpoint.weights, source => source.used()), lowering)
      await this.#budget.makeRoom(byteLength, spec.air)
      const [unet, vaeDecoder, ...texts] = await openAll(this.#runtime, [graphs.unet, graphs.vaeDecoder, ...graphs.textEncoders])
      const textEncoders = describeTextEncoders(checkpoint).map((text, index) => ({ ...text, session: texts[index] as ModelSession }))
      const model = { spec, ...describe(checkpoint), textEncoders, unet: unet as ModelSession, vaeDecoder: vaeDecoder as ModelSession, byteLength }
      this.#budget.add(key, model)
      return model
    } catch (cause) {
      const reason = modelFailure(cause)
      if (reason === undefined) throw cause
      throw new ModelError(`the model ${spec.air} cannot be loaded: ${reason}`, { cause })
    }
  }
}

/** Opens all graphs or none. */
async function openAll(runtime: Runtime, graphs: readonly ModelGraph[]): Promise<readonly ModelSession[]> {
  const opened: ModelSession[] = []
  try {
    for (const graph of graphs) {
      opened.push(
        await runtime.open(graph).catch(cause => {
          // The runtime's own words hold paths; they stay in the cause, for the log.
          throw new ModelError(`the runtime could not open its graph ${graph.name}`, { cause })
        }),
      )
    }
  } catch (error) {
    await Promise.all(opened.map(session => session.release()))
    throw error
  }
  return opened
}

function describe({
  configs,
  noiseSchedule,
}: Checkpoint): Pick<LoadedModel, 'contextSize' | 'latentChannels' | 'latentFactor' | 'noiseSchedule'> {
  const { contextWidth } = parseUnetConfig(configs.unet)
  const { latentChannels, latentFactor } = parseVaeConfig(configs.vae)
  return { noiseSchedule, contextSize: contextWidth, latentChannels, latentFactor }
}

function describeTextEncoders({ configs, tokenizers }: Checkpoint): readonly Omit<LoadedTextEncoder, 'session'>[] {
  return textEncodersOf(configs).map(([component, config]) => {
    return { tokenizer: tokenizers[component] as TokenizerFiles, width: parseClipTextConfig(config).width }
  })
}

function stoppedError(): ModelError {
  return new ModelError('the engine is stopping')
}
