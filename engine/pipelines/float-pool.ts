/** A float32 array that grows to the largest size asked for and is handed out again on every run. */
export class FloatPool {
  #values = new Float32Array(0)

  /** A view of `length` values with whatever they held before; valid until the next call. */
  take(length: number): Float32Array {
    if (this.#values.length < length) this.#values = new Float32Array(length)
    return this.#values.subarray(0, length)
  }
}
