import type { InferenceSession, Tensor as OnnxTensor, TypedTensor } from 'onnxruntime-node'
import type { TensorSpec } from '../graph/model-graph.ts'
import type { Tensor, TensorDtype } from '../tensor.ts'
import { checkFeeds } from './check-feeds.ts'
import type { ModelSession } from './model-session.ts'
import { RuntimeError } from './runtime-error.ts'

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

  constructor(options: OnnxSessionOptions) {
    this.#options = options
    this.name = options.name
    this.inputs = options.inputs
    this.outputs = options.outputs
    this.#afterFirstRun = options.afterFirstRun
  }

  async run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>> {
    if (this.#isReleased) throw new RuntimeError(`${this.name} was released`)
    checkFeeds(this.name, this.inputs, feeds)
    const results = await this.#run(feeds)
    const after = this.#afterFirstRun
    this.#afterFirstRun = undefined
    await after?.()
    return Object.fromEntries(this.outputs.map(output => [output.name, this.#output(output, results[output.name])]))
  }

  async release(): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    await this.#options.session.release()
  }

  async #run(feeds: Readonly<Record<string, Tensor>>): Promise<InferenceSession.ReturnType> {
    const { session, Tensor: Constructor } = this.#options
    const entries = Object.entries(feeds).map(([name, { dtype, data, dims }]) => [name, new Constructor(dtype, data, dims)])
    const tensors = Object.fromEntries(entries) as Record<string, OnnxTensor>
    try {
      return await session.run(tensors)
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
