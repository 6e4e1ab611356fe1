import type { ConvWeights, LinearWeights, NormWeights } from '../graph/layers.ts'
import type { WeightRef, WeightSource } from '../weights/weight-source.ts'

/** Weights of one part of a network, under the names that stand behind the part's own name. */
export class NetworkWeights {
  readonly #source: WeightSource
  readonly #prefix: string
  readonly #owner: string

  /** @param owner stands before the names of the layers, where a graph has networks with layers of the same names */
  constructor(source: WeightSource, prefix = '', owner = '') {
    this.#source = source
    this.#prefix = prefix
    this.#owner = owner
  }

  /** Name of the part within its network. */
  get name(): string {
    return this.#prefix.slice(0, -1)
  }

  /** The weights of a part of this part. */
  at(name: string): NetworkWeights {
    return new NetworkWeights(this.#source, `${this.#prefix}${name}.`, this.#owner)
  }

  tensor(name: string, shape: readonly number[]): WeightRef {
    return this.#source.get(this.#prefix + name, shape)
  }

  linear(name: string, inputs: number, outputs: number): Required<LinearWeights> {
    return { ...this.matrix(name, inputs, outputs), bias: this.tensor(`${name}.bias`, [outputs]) }
  }

  /** A linear layer without bias. */
  matrix(name: string, inputs: number, outputs: number): LinearWeights {
    return { name: this.#layer(name), weight: this.tensor(`${name}.weight`, [outputs, inputs]) }
  }

  conv(name: string, inputs: number, outputs: number, kernel: number): Required<ConvWeights> {
    const [weight, bias] = [this.tensor(`${name}.weight`, [outputs, inputs, kernel, kernel]), this.tensor(`${name}.bias`, [outputs])]
    return { name: this.#layer(name), weight, bias }
  }

  /** A convolution without bias, of any kernel, for a layer that takes all pixels under it as one vector. */
  patchConv(name: string, inputs: number, outputs: number, kernel: number): LinearWeights {
    return { name: this.#prefix + name, weight: this.tensor(`${name}.weight`, [outputs, inputs, kernel, kernel]) }
  }

  norm(name: string, width: number): NormWeights {
    return { weight: this.tensor(`${name}.weight`, [width]), bias: this.tensor(`${name}.bias`, [width]) }
  }

  #layer(name: string): string {
    return this.#owner + this.#prefix + name
  }
}
