import type { Tensor, TensorData } from '../tensor.ts'

/** Element types of inputs that have a row for each row of a run. */
type RowDtype = 'float32' | 'uint8'

const arrays = { float32: Float32Array, uint8: Uint8Array } as const

/**
 * One input of a network's runs, in a buffer that is filled again for every run.
 *
 * It gives the same tensor, and the same views of its rows, for as long as the dims stay the same. A row that is made of the
 * same thing as in the run before is not written again: most of what a row takes stays the same over a whole request.
 */
export class RowInput<D extends RowDtype> {
  readonly #dtype: D
  #buffer: TensorData[RowDtype]
  #tensor: Tensor<D> | undefined
  #rows: readonly TensorData[D][] = []
  /** What each row of the buffer was made of; none of it lives longer for that. */
  #sources: WeakRef<object>[] = []

  constructor(dtype: D) {
    this.#dtype = dtype
    this.#buffer = new arrays[dtype](0)
  }

  /** The tensor of these dims, the number of rows first, with whatever it held before. */
  take(dims: readonly number[]): Tensor<D> {
    if (this.#tensor !== undefined && isSame(this.#tensor.dims, dims)) return this.#tensor
    const [rows = 0, ...rest] = dims
    const size = rest.reduce((product, dim) => product * dim, 1)
    if (this.#buffer.length < rows * size) {
      this.#buffer = new arrays[this.#dtype](rows * size)
      this.#sources = []
    }
    if (size !== this.#rows[0]?.length) this.#sources = []
    // The buffer is of the dtype's array; TypeScript does not narrow a generic by it.
    const part = (from: number, to: number) => this.#buffer.subarray(from, to) as TensorData[D]
    this.#rows = Array.from({ length: rows }, (_, row) => part(row * size, (row + 1) * size))
    this.#tensor = { dtype: this.#dtype, dims, data: part(0, rows * size) }
    return this.#tensor
  }

  /** A row of the tensor that was taken last. */
  row(index: number): TensorData[D] {
    return this.#rows[index] as TensorData[D]
  }

  /**
   * The tensor of these dims, each row made of its source.
   * @param sources the same object stands for the same values as long as it lives
   */
  keep<Source extends object>(dims: readonly number[], sources: readonly Source[], write: (source: Source, row: TensorData[D]) => void): Tensor<D> {
    const tensor = this.take(dims)
    for (let row = 0; row < sources.length; row++) {
      const source = sources[row] as Source
      if (this.#sources[row]?.deref() === source) continue
      write(source, this.row(row))
      this.#sources[row] = new WeakRef(source)
    }
    return tensor
  }
}

function isSame(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((value, index) => value === others[index])
}
