import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TensorSpec } from '../../../engine/graph/model-graph.ts'
import type { Tensor, TensorDtype } from '../../../engine/tensor.ts'

/** Folder of the committed reference models and outputs; tests run from the repository's root. */
export const REFERENCE = join(process.cwd(), 'test', 'reference')

const ARRAYS = {
  F32: ['float32', Float32Array], I64: ['int64', BigInt64Array], U8: ['uint8', Uint8Array],
} as const

interface StoredTensor {
  readonly dtype: keyof typeof ARRAYS
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** Reads all tensors of a small safetensors file into memory. */
export function readTensors(file: string): Readonly<Record<string, Tensor>> {
  const bytes = readFileSync(file)
  const headerLength = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8')) as Record<string, StoredTensor>
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return Object.fromEntries(entries.map(([name, { dtype, shape, data_offsets: [start, end] }]) => {
    const [type, Array] = ARRAYS[dtype]
    const own = Uint8Array.from(bytes.subarray(8 + headerLength + start, 8 + headerLength + end))
    return [name, { dtype: type, dims: shape, data: new Array(own.buffer) } as Tensor<TensorDtype>]
  }))
}

/** Inputs and outputs of one network of a reference model. */
export function readComponent(model: string, component: 'text_encoder' | 'text_encoder_2' | 'unet' | 'vae_encoder' | 'vae_decoder'): Readonly<Record<string, Tensor>> {
  return readTensors(join(REFERENCE, 'components', `${model}.${component}.safetensors`))
}

/** Largest difference of two tensors, as a share of the expected one's largest magnitude. */
export function relativeError(actual: Tensor | undefined, expected: Tensor | undefined): number {
  if (!actual || !expected) throw new Error('a tensor is missing')
  if (actual.dims.join() !== expected.dims.join()) throw new Error(`dims [${actual.dims.join()}] instead of [${expected.dims.join()}]`)
  let difference = 0
  let magnitude = 0
  for (let index = 0; index < expected.data.length; index++) {
    const value = Number(expected.data[index])
    const error = Math.abs(Number(actual.data[index]) - value)
    // A NaN must not compare as small.
    if (!(error <= difference)) difference = error
    magnitude = Math.max(magnitude, Math.abs(value))
  }
  return difference / magnitude
}

/** Share of the bytes that differ, and by how much at most. */
export function byteDifferences(actual: Tensor | undefined, expected: Tensor | undefined): { largest: number; share: number } {
  if (actual?.data.length !== expected?.data.length || !actual || !expected) throw new Error('the pictures differ in size')
  let largest = 0
  let count = 0
  for (let index = 0; index < expected.data.length; index++) {
    const difference = Math.abs(Number(actual.data[index]) - Number(expected.data[index]))
    largest = Math.max(largest, difference)
    if (difference > 0) count++
  }
  return { largest, share: count / expected.data.length }
}

/** Part of a tensor's rows. */
export function sliceRows<D extends TensorDtype>(tensor: Tensor<D>, start: number, end: number): Tensor<D> {
  const [, ...rest] = tensor.dims
  const size = rest.reduce((a, b) => a * b, 1)
  return { dtype: tensor.dtype, dims: [end - start, ...rest], data: tensor.data.slice(start * size, end * size) as Tensor<D>['data'] }
}

/** A text encoder's feeds for token ids alone: nothing is hidden, and no vector stands in a token's place. */
export function textFeeds(inputIds: Tensor | undefined, inputs: readonly TensorSpec[]): Readonly<Record<string, Tensor>> {
  const [rows = 0, tokens = 0] = inputIds?.dims ?? []
  const width = inputs.find(({ name }) => name === 'vectors')?.dims[1] as number
  return {
    input_ids: inputIds as Tensor,
    attention_bias: { dtype: 'float32', dims: [rows, 1, 1, tokens], data: new Float32Array(rows * tokens) },
    vector_ids: { dtype: 'int64', dims: [rows, tokens], data: new BigInt64Array(rows * tokens) },
    vectors: { dtype: 'float32', dims: [1, width], data: new Float32Array(width).fill(Number.NaN) },
  }
}
