import type { Tensor, TensorData, TensorDtype } from '../tensor.ts'
import type { Device, ModelSession } from './model-session.ts'
import { RowChoice } from './row-choice.ts'

type Tensors = Readonly<Record<string, Tensor>>

/** Numbers of rows that waste at most a third of a run. */
const BUCKETS = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024] as const

/**
 * The numbers of rows that runs on a device may have; none where every number is as good as another.
 * On CUDA each change of the number of rows makes the runtime search for the best convolutions anew.
 * @param maxRows most rows of a run; itself a bucket, so that rounding never exceeds it
 */
export function rowBucketsFor(device: Device, maxRows: number): readonly number[] {
  return device.type === 'cpu' ? [] : [...BUCKETS.filter(rows => rows < maxRows), maxRows]
}

/**
 * A session whose runs have one of a few numbers of rows, the latest one as long as that pays (see RowChoice): the last row is
 * repeated and what it gives is left out, or the rows are computed in several runs.
 */
export function withRowBuckets(session: ModelSession, buckets: readonly number[], nowMs = () => performance.now()): ModelSession {
  const byRow = new Set(session.inputs.filter(({ dims }) => dims[0] === 'rows').map(({ name }) => name))
  const outputsByRow = new Set(session.outputs.filter(({ dims }) => dims[0] === 'rows').map(({ name }) => name))
  const choice = new RowChoice(buckets)
  /** Padded feeds by input, filled again on every run. */
  const pool = new Map<string, TensorData[TensorDtype]>()

  /** What is known of the latest feeds; the same object has the same dims. */
  let known: KnownFeeds = { feeds: {}, rows: 0, shape: undefined }

  const look = (feeds: Tensors): KnownFeeds => {
    const [first = ''] = byRow
    const rows = feeds[first]?.dims[0] ?? 0
    const isWhole = rows > 0 && Object.entries(feeds).every(([name, { dims, data }]) =>
      data.length === dims.reduce((a, b) => a * b, 1) && (!byRow.has(name) || dims[0] === rows))
    return { feeds, rows, shape: isWhole ? shapeOf(feeds, byRow) : undefined }
  }

  async function runPart(feeds: Tensors, rows: number, runRows: number): Promise<Tensors> {
    const padded = rows === runRows ? feeds : mapByRow(feeds, byRow, (feed, name) => pad(feed, runRows, name, pool))
    const began = nowMs()
    const outputs = await session.run(padded).catch((error: unknown) => {
      choice.failed()
      throw error
    })
    choice.ran(nowMs() - began)
    return rows === runRows ? outputs : mapByRow(outputs, outputsByRow, output => slice(output, 0, rows))
  }

  return {
    name: session.name,
    inputs: session.inputs,
    outputs: session.outputs,
    release: () => session.release(),
    async run(feeds) {
      if (feeds !== known.feeds) known = look(feeds)
      const { rows, shape } = known
      // Feeds of a wrong size go on as they are, for the session to refuse them by their names.
      if (shape === undefined) return await session.run(feeds)
      const runRows = choice.choose(shape, rows)
      if (rows <= runRows) return await runPart(feeds, rows, runRows)
      const parts: Tensors[] = []
      for (let from = 0; from < rows; from += runRows) {
        const to = Math.min(rows, from + runRows)
        parts.push(await runPart(mapByRow(feeds, byRow, feed => slice(feed, from, to)), to - from, runRows))
      }
      return mapByRow(parts[0] as Tensors, outputsByRow, (_, name) => join(parts.map(part => part[name] as Tensor)))
    },
  }
}

interface KnownFeeds {
  readonly feeds: Tensors
  readonly rows: number
  /** All dims but the number of rows, of all inputs; undefined when some do not fit. */
  readonly shape: string | undefined
}

/** All dimensions but the number of rows. */
function shapeOf(feeds: Tensors, byRow: ReadonlySet<string>): string {
  return Object.entries(feeds).map(([name, { dims }]) => `${name}:${dims.slice(byRow.has(name) ? 1 : 0).join('x')}`).join(' ')
}

function mapByRow(tensors: Tensors, byRow: ReadonlySet<string>, map: (tensor: Tensor, name: string) => Tensor): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, byRow.has(name) ? map(tensor, name) : tensor]))
}

function pad({ dtype, dims, data }: Tensor, rows: number, name: string, pool: Map<string, TensorData[TensorDtype]>): Tensor {
  const [given = 1, ...rest] = dims
  const size = rest.reduce((a, b) => a * b, 1)
  let buffer = pool.get(name)
  if (!buffer || buffer.length < rows * size || buffer.constructor !== data.constructor) {
    buffer = emptyLike(data, rows * size)
    pool.set(name, buffer)
  }
  const values = buffer.subarray(0, rows * size)
  ;(values as Float32Array).set(data as Float32Array)
  for (let row = given; row < rows; row++) values.copyWithin(row * size, (given - 1) * size, given * size)
  return { dtype, dims: [rows, ...rest], data: values }
}

function slice({ dtype, dims, data }: Tensor, from: number, to: number): Tensor {
  const [given = 1, ...rest] = dims
  const size = data.length / given
  return { dtype, dims: [to - from, ...rest], data: data.subarray(from * size, to * size) }
}

function join(parts: readonly Tensor[]): Tensor {
  const [{ dtype, dims: [, ...rest], data: first }] = parts as [Tensor]
  const data = emptyLike(first, parts.reduce((sum, part) => sum + part.data.length, 0))
  let at = 0
  for (const part of parts) {
    ;(data as Float32Array).set(part.data as Float32Array, at)
    at += part.data.length
  }
  return { dtype, dims: [parts.reduce((sum, { dims: [rows = 0] }) => sum + rows, 0), ...rest], data }
}

function emptyLike(data: TensorData[TensorDtype], length: number): TensorData[TensorDtype] {
  return new (data.constructor as new (length: number) => TensorData[TensorDtype])(length)
}
