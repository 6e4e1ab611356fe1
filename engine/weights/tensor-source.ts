import { isWeightDtype } from './stored-tensor.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { WeightError } from './weight-error.ts'
import type { WeightRef, WeightSource } from './weight-source.ts'

/** A stored tensor under the name a graph builder asks for, beside the one its file gives it. */
export interface NamedTensor {
  /** Name in the file, for messages. */
  readonly original: string
  readonly tensor: StoredTensor
}

export interface TensorSourceOptions {
  /** What the weights are of, for messages: `unet`. */
  readonly label: string
  /** Tensors by canonical name. */
  readonly tensors: ReadonlyMap<string, NamedTensor>
  /** Tensors that no canonical name stands for, by the name in the file. */
  readonly unmapped?: readonly string[]
  /** Whether a tensor may stay unused; asked with canonical names, and with file names for the unmapped. */
  readonly isIgnorable: (name: string) => boolean
  /** Turns another spelling of a canonical name into the canonical one. */
  readonly canonicalName?: (name: string) => string
}

/** Tensors that were asked for, by canonical name. */
export type UsedTensors = ReadonlyMap<string, StoredTensor>

/** The weight source over tensors already found in files and named; remembers what was asked for. */
export class TensorSource implements WeightSource {
  readonly #options: TensorSourceOptions
  readonly #used = new Set<string>()

  constructor(options: TensorSourceOptions) {
    this.#options = options
  }

  has(name: string): boolean {
    return this.#options.tensors.has(this.#canonical(name))
  }

  get(name: string, shape?: readonly number[]): WeightRef {
    const { label, tensors } = this.#options
    const canonical = this.#canonical(name)
    const found = tensors.get(canonical)
    if (!found) throw new WeightError(`the ${label} lacks the tensor ${canonical}`)
    this.#used.add(canonical)
    const { tensor, original } = found
    if (shape && !sameShape(shape, tensor.shape)) {
      throw new WeightError(`the ${label}'s tensor ${original} has the shape [${tensor.shape.join(', ')}], not [${shape.join(', ')}]`)
    }
    const { dtype } = tensor
    if (!isWeightDtype(dtype))
      throw new WeightError(`the ${label}'s tensor ${original} is stored as ${dtype}, which cannot be computed with`)
    const { file, offset, byteLength, isTransposed = false } = tensor
    return { file, offset, byteLength, dtype, shape: tensor.shape, ...(isTransposed && { isTransposed }) }
  }

  /** What was asked for. */
  used(): UsedTensors {
    return new Map([...this.#options.tensors].filter(([name]) => this.#used.has(name)).map(([name, { tensor }]) => [name, tensor]))
  }

  unused(): readonly string[] {
    const { tensors, unmapped = [], isIgnorable } = this.#options
    const left = new Set(unmapped.filter(name => !isIgnorable(name)))
    for (const [name, { original }] of tensors) if (!this.#used.has(name) && !isIgnorable(name)) left.add(original)
    return [...left]
  }

  #canonical(name: string): string {
    return this.#options.canonicalName?.(name) ?? name
  }
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}
