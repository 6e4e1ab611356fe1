import type { WeightDtype } from './weight-source.ts'

/** Bits of one element, for every element type a `.safetensors` file may hold. */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const
export type StoredDtype = keyof typeof DTYPE_BITS

const USABLE: ReadonlySet<string> = new Set<WeightDtype>(['F32', 'F16', 'BF16', 'I64', 'I32', 'U8'])

/** One tensor as a file describes it; its element type may be one that graphs cannot take. */
export interface StoredTensor {
  /** Real absolute path of the file. */
  readonly file: string
  /** Byte offset of the first element in the file. */
  readonly offset: number
  readonly byteLength: number
  readonly dtype: StoredDtype
  readonly shape: readonly number[]
  /** A view of a matrix whose bytes lie transposed in the file. @default false */
  readonly isTransposed?: boolean
}

/** Tensors by the name their file gives them. */
export type StoredTensors = ReadonlyMap<string, StoredTensor>

/** Whether a graph can take weights of this element type. */
export function isWeightDtype(dtype: StoredDtype): dtype is StoredDtype & WeightDtype {
  return USABLE.has(dtype)
}
