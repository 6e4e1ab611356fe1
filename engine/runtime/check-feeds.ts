import { mayBeZero } from '../graph/lora-inputs.ts'
import type { TensorSpec } from '../graph/model-graph.ts'
import type { Tensor, TensorDtype } from '../tensor.ts'
import { RuntimeError } from './runtime-error.ts'

const ARRAYS = {
  float32: Float32Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array,
} as const satisfies Record<TensorDtype, unknown>

/**
 * Checks what is given to a graph: the runtime itself takes no notice of unknown names and reads past wrong sizes.
 * A dimension's name stands for the same number everywhere. Throws a RuntimeError that names the input.
 */
export function checkFeeds(graph: string, inputs: readonly TensorSpec[], feeds: Readonly<Record<string, Tensor>>): void {
  for (const name of Object.keys(feeds)) {
    if (!inputs.some(input => input.name === name)) throw new RuntimeError(`${graph} has no input ${name}`)
  }
  const named = new Map<string, number>()
  for (const input of inputs) {
    const feed = feeds[input.name]
    if (!feed) throw new RuntimeError(`${graph} was not given its input ${input.name}`)
    checkFeed(`${graph}'s input ${input.name}`, input, feed, named)
  }
}

function checkFeed(label: string, { dtype, dims }: TensorSpec, feed: Tensor, named: Map<string, number>): void {
  if (feed.dtype !== dtype) throw new RuntimeError(`${label} must be ${dtype}, not ${feed.dtype}`)
  if (!(feed.data instanceof ARRAYS[dtype])) throw new RuntimeError(`${label} must hold its data in a ${ARRAYS[dtype].name}`)
  const before = new Map(named)
  const matches = feed.dims.length === dims.length && dims.every((expected, axis) => {
    const actual = feed.dims[axis] as number
    if (!Number.isSafeInteger(actual) || actual < (mayBeZero(expected) ? 0 : 1)) return false
    if (typeof expected === 'number') return actual === expected
    const known = named.get(expected)
    if (known === undefined) named.set(expected, actual)
    return known === undefined || known === actual
  })
  if (!matches) {
    const meaning = dims.map(dim => (typeof dim === 'string' && before.has(dim) ? `${dim}=${before.get(dim)}` : dim))
    throw new RuntimeError(`${label} must have the dims [${meaning.join(', ')}], not [${feed.dims.join(', ')}]`)
  }
  const count = feed.dims.reduce((a, b) => a * b, 1)
  if (feed.data.length !== count) {
    throw new RuntimeError(`${label} has ${feed.data.length} elements, not the ${count} of its dims [${feed.dims.join(', ')}]`)
  }
}
