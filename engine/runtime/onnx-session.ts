import type { InferenceSession, Tensor as OnnxTensor, TypedTensor } from 'onnxruntime-node'
import type { TensorSpec } from '../graph/model-graph.ts'
import type { Tensor, TensorDtype } from '../tensor.ts'
import { checkFeeds } from './check-feeds.ts'
import type { ModelSession } from './model-session.ts'
import { RuntimeError } from './runtime-error.ts'

type Feeds = Readonly<Record<string, Tensor>>

export interface OnnxSessionOptions {
  readonly name: string
  readonly inputs: readonly TensorSpec[]
  readonly outputs: readonly TensorSpec[]
  readonly session: InferenceSession
  readonly Tensor: typeof OnnxTensor
  /** Called once, after the first run. */
  readonly afterFirstRun?: () => Promise<void>
}

/** A session of the runtime behind checks of everything that goes in and comes out. */
export class OnnxSession implements ModelSession {
  readonly name: string
  readonly inputs: readonly TensorSpec[]
  readonly outputs: readonly TensorSpec[]
  readonly #options: OnnxSessionOptions
  #afterFirstRun: (() => Promise<void>) | undefined
  #isReleased = false
  /** Those of the latest run, and what the runtime was given for them. */
  #feeds: Feeds | undefined
  #tensors: Readonly<Record<string, OnnxTensor>> = {}

  constructor(options: OnnxSessionOptions) {
    this.#options = options
    this.name = options.name
    this.inputs = options.inputs
    this.outputs = options.outputs
    this.#afterFirstRun = options.afterFirstRun
  }

  async run(feeds: Feeds): Promise<Readonly<Record<string, Tensor>>> {
    if (this.#isReleased) throw new RuntimeError(`${this.name} was released`)
    const results = await this.#run(this.#tensorsOf(feeds))
    const after = this.#afterFirstRun
    if (after) {
      this.#afterFirstRun = undefined
      await after()
    }
    return Object.fromEntries(this.outputs.map(output => [output.name, this.#output(output, results[output.name])]))
  }

  async release(): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#feeds = undefined
    this.#tensors = {}
    await this.#options.session.release()
  }

  /** Feeds that are the same object as in the run before were checked then; only the values in their arrays may differ. */
  #tensorsOf(feeds: Feeds): Readonly<Record<string, OnnxTensor>> {
    if (feeds !== this.#feeds) {
      checkFeeds(this.name, this.inputs, feeds)
      const { Tensor: Constructor } = this.#options
      this.#tensors = Object.fromEntries(Object.entries(feeds).map(([name, { dtype, data, dims }]) => [name, new Constructor(dtype, data, dims)]))
      this.#feeds = feeds
    }
    return this.#tensors
  }

  async #run(tensors: Readonly<Record<string, OnnxTensor>>): Promise<InferenceSession.ReturnType> {
    try {
      return await this.#options.session.run(tensors)
    } catch (cause) {
      throw new RuntimeError(`${this.name} failed to run: ${(cause as Error).message}`, { cause })
    }
  }

  #output({ name, dtype }: TensorSpec, value: InferenceSession.ReturnType[string] | undefined): Tensor {
    if (!value) throw new RuntimeError(`${this.name} did not give its output ${name}`)
    const tensor = value as TypedTensor<TensorDtype>
    if (tensor.type !== dtype) throw new RuntimeError(`${this.name}'s output ${name} is ${tensor.type}, not ${dtype}`)
    return { dtype, dims: tensor.dims, data: tensor.data }
  }
}
