import { mayBeZero } from '../graph/lora-inputs.ts'
import type { TensorSpec } from '../graph/model-graph.ts'
import type { Tensor, TensorData, TensorDtype } from '../tensor.ts'
import { checkFeeds } from './check-feeds.ts'
import type { Device, ModelSession, Runtime } from './model-session.ts'
import { RuntimeError } from './runtime-error.ts'

type Feeds = Readonly<Record<string, Tensor>>

export interface FakeRuntimeOptions {
  /** @default the processor */
  readonly device?: Device
  /** Called before each run, for tests that look at feeds, hold runs back or make them fail. */
  readonly beforeRun?: (session: string, feeds: Readonly<Record<string, Tensor>>) => void | Promise<void>
}

/**
 * A runtime for tests: it opens any graph and computes nothing of it, but honours its inputs, outputs and dims.
 *
 * Each row of an output is a function of the same row of the inputs alone, as with a network:
 * element j of output number k (from 0) is s · ((j + k) mod 7 + 1) / 7, where s is the sum over the inputs, by name, of the
 * row's mean times the input's place in that order (from 1); the weights of LoRAs, which have no rows, count as 0.
 * Integer outputs take |that| modulo 256, rounded down.
 * Dimensions named by the inputs have the inputs' sizes; other names, such as a picture's, are `factor` times `h` or `w`,
 * in the order they stand in, where the factor is 8.
 */
export function fakeRuntime({ device = { type: 'cpu' }, beforeRun }: FakeRuntimeOptions = {}): Runtime {
  return {
    device,
    async open(graph): Promise<ModelSession> {
      const { name, inputs, outputs } = graph
      let isReleased = false
      return {
        name, inputs, outputs,
        async run(feeds) {
          if (isReleased) throw new RuntimeError(`${name} was released`)
          checkFeeds(name, inputs, feeds)
          await beforeRun?.(name, feeds)
          const byRow = feedsByRow(inputs, feeds)
          const sizes = dimensionSizes(inputs, feeds)
          return Object.fromEntries(outputs.map((output, index) => [output.name, computeOutput(output, index, sizes, byRow)]))
        },
        async release() { isReleased = true },
      }
    },
  }
}

const LATENT_FACTOR = 8

function feedsByRow(inputs: readonly TensorSpec[], feeds: Feeds): Feeds {
  const names = inputs.filter(({ name, dims }) => dims[0] === 'rows' && (!dims.some(mayBeZero) || feeds[name]?.data.length !== 0)).map(({ name }) => name)
  return Object.fromEntries(names.map(name => [name, feeds[name] as Tensor]))
}

function dimensionSizes(inputs: readonly TensorSpec[], feeds: Feeds): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const { name, dims } of inputs) {
    dims.forEach((dim, axis) => { if (typeof dim === 'string') sizes.set(dim, feeds[name]?.dims[axis] as number) })
  }
  return sizes
}

function computeOutput({ dtype, dims }: TensorSpec, place: number, sizes: ReadonlyMap<string, number>, feeds: Feeds): Tensor {
  const upscaled = ['h', 'w']
  const upscaledSize = (): number => (sizes.get(upscaled.shift() ?? '') ?? 1) * LATENT_FACTOR
  const actual = dims.map(dim => (typeof dim === 'number' ? dim : sizes.get(dim) ?? upscaledSize()))
  const [rows = 1, ...rest] = actual
  const size = rest.reduce((a, b) => a * b, 1)
  const values = new Float32Array(rows * size)
  for (let row = 0; row < rows; row++) {
    const sum = rowSum(feeds, row)
    for (let index = 0; index < size; index++) values[row * size + index] = sum * ((index + place) % 7 + 1) / 7
  }
  return { dtype, dims: actual, data: convert(dtype, values) }
}

function rowSum(feeds: Feeds, row: number): number {
  return Object.keys(feeds).sort().reduce((sum, name, place) => {
    const { data, dims } = feeds[name] as Tensor
    const size = data.length / (dims[0] ?? 1)
    let total = 0
    for (let index = row * size; index < (row + 1) * size; index++) total += Number(data[index])
    return sum + (place + 1) * total / size
  }, 0)
}

function convert(dtype: TensorDtype, values: Float32Array): TensorData[TensorDtype] {
  if (dtype === 'float32') return values
  const bytes = Array.from(values, value => Math.floor(Math.abs(value) % 256))
  switch (dtype) {
    case 'uint8': return Uint8Array.from(bytes)
    case 'int32': return Int32Array.from(bytes)
    case 'int64': return BigInt64Array.from(bytes, BigInt)
    default: return dtype satisfies never
  }
}
