/** Element types a graph's inputs and outputs may have. */
export type TensorDtype = 'float32' | 'int64' | 'int32' | 'uint8'

/** The array type that holds each element type. */
export interface TensorData {
  readonly float32: Float32Array
  readonly int64: BigInt64Array
  readonly int32: Int32Array
  readonly uint8: Uint8Array
}

/** A dense row-major tensor in host memory; `data.length` equals the product of `dims`. */
export interface Tensor<D extends TensorDtype = TensorDtype> {
  readonly dtype: D
  readonly dims: readonly number[]
  readonly data: TensorData[D]
}
