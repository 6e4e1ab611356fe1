import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import t from 'tap'
import { createLayers, layersWith } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { WeightRef } from '../../../engine/weights/weight-source.ts'
import { writeWeight } from '../architectures/shape-source.ts'

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const integers = layersWith({ isInteger: name => name !== 'plain' })

const ROWS = 3
const TOKENS = 5
const INPUTS = 300
const OUTPUTS = 24

/** Numbers of no special pattern, the same at each run. */
function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin((index + seed * 31) * 12.9898) * (1 + 3 * Math.sin(index * 0.37) ** 8))
}

function draw(makeLayers: LayersFactory, layers: readonly { readonly name: string; readonly weight: WeightRef; readonly bias?: WeightRef }[]): ModelGraph {
  const graph = new GraphBuilder('linear')
  const x = graph.input('x', 'float32', ['rows', 'tokens', INPUTS])
  const drawn = makeLayers(graph, x, 'cpu', 'float32')
  const tokens = drawn.tokens(x, INPUTS)
  layers.forEach((layer, index) => graph.output(`y${index}`, 'float32', ['rows', 'tokens', OUTPUTS], drawn.fromTokens(drawn.linear(tokens, layer))))
  return graph.build()
}

async function run(graph: ModelGraph, data: Float32Array, rows = ROWS): Promise<readonly Float32Array[]> {
  const session = await runtime.open(graph)
  const outputs = await session.run({ x: { dtype: 'float32', dims: [rows, TOKENS, INPUTS], data } })
  await session.release()
  return graph.outputs.map(({ name }) => outputs[name]?.data as Float32Array)
}

/** How often the model has a node of an operator: its name alone, which the names of nodes carry with a number. */
function countNodes(graph: ModelGraph, operator: string): number {
  return Buffer.from(graph.encode()).toString('latin1').split(new RegExp(`\\b${operator}(?!_\\d|\\w)`)).length - 1
}

const weights = numbers(OUTPUTS * INPUTS, 1)
const { ref: weight, remove } = writeWeight([OUTPUTS, INPUTS], weights)
const { ref: bias, remove: removeBias } = writeWeight([OUTPUTS], numbers(OUTPUTS, 2))
t.teardown(() => { remove(); removeBias() })
const layer = { name: 'layer', weight, bias }

/** Half to even, as processors round. */
function round(value: number): number {
  const floor = Math.floor(value)
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value)
}

/** A row of a matrix as whole numbers of a step; the step in float32, as the graph has it, and the division too. */
function rounded(row: Float32Array, steps: number): { readonly step: number; readonly whole: readonly number[] } {
  const reach = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const step = Math.fround(reach * Math.fround(1 / steps))
  return { step, whole: [...row].map(value => round(Math.fround(value / step))) }
}

/** What the layer is to give, in double precision, and by how much at most that is off the layer without rounding. */
function expected(data: Float32Array): { readonly value: number; readonly exact: number; readonly bound: number }[] {
  const biases = numbers(OUTPUTS, 2)
  return Array.from({ length: data.length / INPUTS }, (_, token) => data.subarray(token * INPUTS, (token + 1) * INPUTS)).flatMap(x => {
    const left = rounded(x, 127)
    return Array.from({ length: OUTPUTS }, (_, out) => {
      const w = weights.subarray(out * INPUTS, (out + 1) * INPUTS)
      const right = rounded(w, 64)
      const sums = x.reduce(({ whole, exact, bound }, value, index) => ({
        whole: whole + (left.whole[index] as number) * (right.whole[index] as number),
        exact: exact + value * (w[index] as number),
        // Each factor is off by half a step at most.
        bound: bound + Math.abs(value) * right.step / 2 + Math.abs(w[index] as number) * left.step / 2 + right.step * left.step / 4,
      }), { whole: 0, exact: 0, bound: 0 })
      return { value: sums.whole * left.step * right.step + (biases[out] as number), exact: sums.exact + (biases[out] as number), bound: sums.bound }
    })
  })
}

t.test('a layer in whole numbers gives the sum of products of rounded weights and inputs, near what it gives without', async t => {
  const data = numbers(ROWS * TOKENS * INPUTS, 3)
  const [y] = await run(draw(integers, [layer]), data) as [Float32Array]
  const all = expected(data)
  t.equal(y.length, all.length)
  const scale = Math.max(...all.map(({ value }) => Math.abs(value)))
  const off = Math.max(...all.map(({ value }, index) => Math.abs((y[index] as number) - value)))
  t.ok(off < 1e-5 * scale, `off by ${off} of ${scale}`)
  const differences = all.map(({ exact, bound }, index) => ({ difference: Math.abs((y[index] as number) - exact), bound }))
  t.ok(differences.every(({ difference, bound }) => difference <= bound * 1.001))
  t.ok(Math.max(...differences.map(({ difference }) => difference)) > 1e-4 * scale, 'and it was rounded')
})

t.test('the largest products of one sign are added without saturation', async t => {
  const ones = writeWeight([OUTPUTS, INPUTS], new Float32Array(OUTPUTS * INPUTS).fill(0.5))
  const [y] = await run(draw(integers, [{ name: 'layer', weight: ones.ref }]), new Float32Array(ROWS * TOKENS * INPUTS).fill(2)) as [Float32Array]
  ones.remove()
  t.ok(y.every(value => Math.abs(value - INPUTS) < 1e-3), `${y[0]}`)
})

t.test('each token is rounded by itself: nothing in one reaches another', async t => {
  const graph = draw(integers, [layer])
  const data = numbers(ROWS * TOKENS * INPUTS, 4)
  const [y] = await run(graph, data) as [Float32Array]
  const size = TOKENS * OUTPUTS
  for (const [title, value] of [['huge', 1e30], ['infinite', Infinity], ['not a number', NaN]] as const) {
    const disturbed = data.slice()
    disturbed[7] = value
    const [z] = await run(graph, disturbed) as [Float32Array]
    t.same(z.subarray(OUTPUTS), y.subarray(OUTPUTS), `a number that is ${title}`)
  }
  const [alone] = await run(graph, data.slice(2 * TOKENS * INPUTS), 1) as [Float32Array]
  t.same(alone, y.subarray(2 * size), 'a row alone is as in a batch')
})

t.test('LoRAs are added to what a layer in whole numbers gives, in floating-point numbers', async t => {
  const graph = draw(layersWith({ isInteger: () => true, takesLora: () => true }), [layer])
  const rank = 4
  const [x, down, up] = [numbers(TOKENS * INPUTS, 6), numbers(rank * INPUTS, 7), numbers(rank * OUTPUTS, 8)]
  const session = await runtime.open(graph)
  const added = async (scale: number): Promise<Float32Array> => (await session.run({
    x: { dtype: 'float32', dims: [1, TOKENS, INPUTS], data: x },
    'layer.lora_down': { dtype: 'float32', dims: [rank, INPUTS], data: down },
    'layer.lora_up': { dtype: 'float32', dims: [rank, OUTPUTS], data: up },
    'layer.lora_scale': { dtype: 'float32', dims: [1, 1, rank], data: new Float32Array(rank).fill(scale) },
  }))['y0']?.data as Float32Array
  const [plain, y] = [await added(0), await added(0.5)]
  await session.release()
  t.same(plain, (await run(draw(integers, [layer]), x, 1))[0])
  const off = y.reduce((most, value, at) => {
    const [token, out] = [Math.floor(at / OUTPUTS), at % OUTPUTS]
    let sum = plain[at] as number
    for (let r = 0; r < rank; r++) {
      const narrow = x.subarray(token * INPUTS, (token + 1) * INPUTS).reduce((total, each, k) => total + each * (down[r * INPUTS + k] as number), 0)
      sum += 0.5 * narrow * (up[r * OUTPUTS + out] as number)
    }
    return Math.max(most, Math.abs(value - sum))
  }, 0)
  const largest = Math.max(...y.map(Math.abs))
  t.ok(off < 1e-6 * largest, `off by ${off} of ${largest}`)
})

t.test('a token of zeros gives the bias, an output of zeros too', async t => {
  const holed = weights.slice()
  holed.fill(0, 0, INPUTS)
  const { ref, remove } = writeWeight([OUTPUTS, INPUTS], holed)
  const data = numbers(ROWS * TOKENS * INPUTS, 5)
  data.fill(0, 0, INPUTS)
  const [y] = await run(draw(integers, [{ name: 'layer', weight: ref, bias }]), data) as [Float32Array]
  remove()
  t.same(y.subarray(0, OUTPUTS), numbers(OUTPUTS, 2))
  t.ok(Array.from({ length: ROWS * TOKENS }, (_, token) => y[token * OUTPUTS]).every(value => value === numbers(1, 2)[0]))
})

t.test('layers that look at the same tokens round them once; those that are not chosen stay as they are', async t => {
  const graph = draw(integers, [layer, { name: 'second', weight }, { name: 'plain', weight }])
  t.equal(countNodes(graph, 'MatMulIntegerToFloat'), 2)
  t.equal(countNodes(graph, 'Gemm'), 1)
  t.equal(countNodes(graph, 'QuantizeLinear'), 3, 'the tokens, and the weights of two layers')
  t.equal(countNodes(draw(createLayers, [layer]), 'MatMulIntegerToFloat'), 0)
})

t.test('the runtime keeps the rounded weights in place of those of the file', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'latentd-int8-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const sizeOf = async (makeLayers: LayersFactory): Promise<number> => {
    const graph = draw(makeLayers, [{ name: 'layer', weight }])
    const optimizedModelFilePath = join(folder, 'model.onnx')
    const session = await InferenceSession.create(graph.encode(), {
      optimizedModelFilePath, graphOptimizationLevel: 'all', logSeverityLevel: 4,
      extra: { session: { model_external_initializers_file_folder_path: graph.weightsFolder } },
    })
    await session.release()
    return statSync(optimizedModelFilePath).size
  }
  const bytes = await sizeOf(integers)
  t.ok(bytes > OUTPUTS * INPUTS && bytes < 2 * OUTPUTS * INPUTS, `${bytes} bytes for ${OUTPUTS * INPUTS} weights`)
})
