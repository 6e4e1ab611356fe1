import type { Tensor, TensorData, TensorDtype } from '../tensor.ts'
import type { Device, ModelSession } from './model-session.ts'

/** Numbers of rows that waste at most a third of a run. */
const BUCKETS = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024] as const

/**
 * The numbers of rows that runs on a device are rounded up to; none where every number is as good as another.
 * On CUDA each new number of rows makes the runtime search for the best convolutions anew, which takes seconds.
 * @param maxRows most rows of a run; itself a bucket, so that rounding never exceeds it
 */
export function rowBucketsFor(device: Device, maxRows: number): readonly number[] {
  return device.type === 'cpu' ? [] : [...BUCKETS.filter(rows => rows < maxRows), maxRows]
}

/** A session whose runs have one of a few numbers of rows: the last row is repeated, and what it gives is left out. */
export function withRowBuckets(session: ModelSession, buckets: readonly number[]): ModelSession {
  const byRow = new Set(session.inputs.filter(({ dims }) => dims[0] === 'rows').map(({ name }) => name))
  const outputsByRow = new Set(session.outputs.filter(({ dims }) => dims[0] === 'rows').map(({ name }) => name))
  /** Padded feeds by input, filled again on every run. */
  const pool = new Map<string, TensorData[TensorDtype]>()
  return {
    name: session.name,
    inputs: session.inputs,
    outputs: session.outputs,
    release: () => session.release(),
    async run(feeds) {
      const [first = ''] = byRow
      const rows = feeds[first]?.dims[0] ?? 0
      const bucket = buckets.find(each => each >= rows) ?? rows
      if (bucket === rows || rows < 1) return await session.run(feeds)
      const padded = Object.entries(feeds).map(([name, feed]) => [name, byRow.has(name) ? pad(feed, bucket, name, pool) : feed] as const)
      const outputs = await session.run(Object.fromEntries(padded))
      return Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, outputsByRow.has(name) ? cut(output, rows) : output]))
    },
  }
}

function pad({ dtype, dims, data }: Tensor, rows: number, name: string, pool: Map<string, TensorData[TensorDtype]>): Tensor {
  const [given = 1, ...rest] = dims
  const size = rest.reduce((a, b) => a * b, 1)
  // A feed of a wrong size goes on as it is, for the session to refuse it by its name.
  if (data.length !== given * size) return { dtype, dims, data }
  let buffer = pool.get(name)
  if (!buffer || buffer.length < rows * size || buffer.constructor !== data.constructor) {
    const ArrayType = data.constructor as new (length: number) => TensorData[TensorDtype]
    buffer = new ArrayType(rows * size)
    pool.set(name, buffer)
  }
  const values = buffer.subarray(0, rows * size)
  ;(values as Float32Array).set(data as Float32Array)
  for (let row = given; row < rows; row++) values.copyWithin(row * size, (given - 1) * size, given * size)
  return { dtype, dims: [rows, ...rest], data: values }
}

function cut({ dtype, dims, data }: Tensor, rows: number): Tensor {
  const [given = 1, ...rest] = dims
  return { dtype, dims: [rows, ...rest], data: data.subarray(0, data.length / given * rows) }
}
