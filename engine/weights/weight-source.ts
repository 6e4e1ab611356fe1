/** Element types of stored weights, as `.safetensors` names them. */
export type WeightDtype = 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8'

/** Where one weight tensor lies: a byte range of a file that a graph's initializer points at, so nothing is copied. */
export interface WeightRef {
  /** Absolute path of the file. */
  readonly file: string
  /** Byte offset of the first element in the file. */
  readonly offset: number
  readonly byteLength: number
  readonly dtype: WeightDtype
  /** As PyTorch stores it: Linear [out, in], Conv [out, in, kH, kW]. */
  readonly shape: readonly number[]
  /** The bytes are those of the transposed matrix: `shape` is what it means, its reverse what lies in the file. @default false */
  readonly isTransposed?: boolean
}

/**
 * The named weights of one component (text encoder, unet, vae), under the names diffusers/transformers give them,
 * whatever file they lie in and whatever that file calls them.
 *
 * A source remembers which names were asked for, so that the loader can refuse a file with tensors nothing used.
 */
export interface WeightSource {
  has(name: string): boolean
  /** Throws a WeightError that names the tensor when it is missing, or when its shape is not `shape`. */
  get(name: string, shape?: readonly number[]): WeightRef
  /** Names present that were never asked for and are not on the list of known ignorable names. */
  unused(): readonly string[]
}
