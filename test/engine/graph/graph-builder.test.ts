import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { cast } from '../../../engine/graph/common-nodes.ts'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { WeightRef } from '../../../engine/weights/weight-source.ts'

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const folder = mkdtempSync(join(tmpdir(), 'latentd-graph-'))
t.teardown(() => rmSync(folder, { recursive: true }))

/** A weight behind `offset` bytes of something else. */
function write(file: string, offset: number, bytes: Uint8Array, rest: Pick<WeightRef, 'dtype' | 'shape'>): WeightRef {
  const path = join(folder, file)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, Buffer.concat([Buffer.alloc(offset, 0xff), bytes]))
  return { file: path, offset, byteLength: bytes.length, ...rest }
}

const floats = (...numbers: number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer)

t.test('weights are read from where they lie, at any offset, in files of several folders', async t => {
  const graph = new GraphBuilder('sum')
  const input = graph.input('x', 'float32', ['rows', 2])
  const first = graph.weight(write('a.bin', 3, floats(1, 2), { dtype: 'F32', shape: [2] }))
  const second = graph.weight(write('deeper/b.bin', 8, floats(10, 20), { dtype: 'F32', shape: [2] }))
  graph.output('y', 'float32', ['rows', 2], graph.node('Add', [graph.node('Add', [input, first]), second]))
  const model = graph.build()
  t.equal(model.weightsFolder, folder)

  const session = await runtime.open(model)
  const { y } = await session.run({ x: { dtype: 'float32', dims: [2, 2], data: Float32Array.of(0, 0, 100, 100) } })
  t.same(y, { dtype: 'float32', dims: [2, 2], data: Float32Array.of(11, 22, 111, 122) })
  await session.release()
})

t.test('half and bfloat16 weights are cast in the graph', async t => {
  // 1.5 and -2 in both formats, by their bits.
  const cases = { F16: [0x3e00, 0xc000], BF16: [0x3fc0, 0xc000] } as const
  for (const [dtype, bits] of Object.entries(cases) as ['F16' | 'BF16', readonly number[]][]) {
    const graph = new GraphBuilder('cast')
    const input = graph.input('x', 'float32', [2])
    const weight = graph.weight(write(`${dtype}.bin`, 5, new Uint8Array(Uint16Array.from(bits).buffer), { dtype, shape: [2] }))
    graph.output('y', 'float32', [2], graph.node('Mul', [input, cast(graph, weight, 'float32')]))
    const session = await runtime.open(graph.build())
    const { y } = await session.run({ x: { dtype: 'float32', dims: [2], data: Float32Array.of(1, 1) } })
    t.same(y?.data, Float32Array.of(1.5, -2), dtype)
    await session.release()
  }
})

t.test('a weight that lies transposed in its file is turned in the graph', async t => {
  const graph = new GraphBuilder('transposed')
  const ref = { ...write('transposed.bin', 0, floats(1, 2, 3, 4, 5, 6), { dtype: 'F32', shape: [2, 3] }), isTransposed: true }
  const input = graph.input('x', 'float32', ['rows', 3])
  graph.output('y', 'float32', ['rows', 2], graph.node('Gemm', [input, graph.weight(ref)], { attributes: { transB: { int: 1 } } }))
  const session = await runtime.open(graph.build())
  // [[1, 2], [3, 4], [5, 6]] lie in the file, three inputs by two outputs.
  const { y } = await session.run({ x: { dtype: 'float32', dims: [1, 3], data: Float32Array.of(1, 10, 100) } })
  t.same(y?.data, Float32Array.of(531, 642))
  await session.release()
})

t.test('nodes that no output needs are left out, with their weights and constants', async t => {
  const build = () => {
    const graph = new GraphBuilder('dead')
    const input = graph.input('x', 'float32', [2])
    const weight = graph.weight(write('alive.bin', 0, floats(1, 2), { dtype: 'F32', shape: [2] }))
    const sum = graph.node('Add', [input, weight])
    const other = graph.weight({ file: join(folder, 'not-there.bin'), offset: 0, byteLength: 8, dtype: 'F32', shape: [2] })
    graph.node('Sqrt', [graph.node('Mul', [sum, graph.node('Add', [other, graph.constant('float32', [], [7])])])])
    graph.output('y', 'float32', [2], sum)
    return graph.build()
  }
  const session = await runtime.open(build())
  const { y } = await session.run({ x: { dtype: 'float32', dims: [2], data: Float32Array.of(1, 1) } })
  t.same(y?.data, Float32Array.of(2, 3))
  t.notOk(Buffer.from(build().encode()).includes('not-there.bin'), 'the runtime is not told of the weight')
  await session.release()
})

t.test('a weight can be seen in another shape, of the same size only', async t => {
  const graph = new GraphBuilder('view')
  const ref = write('view.bin', 0, floats(1, 2, 3, 4, 5, 6), { dtype: 'F32', shape: [2, 3, 1, 1] })
  const input = graph.input('x', 'float32', ['rows', 3])
  const product = graph.node('Gemm', [input, graph.weight(ref, [2, 3])], { attributes: { transB: { int: 1 } } })
  graph.output('y', 'float32', ['rows', 2], product)
  t.throws(() => graph.weight(ref, [2, 2]), { message: 'a weight of shape [2, 3, 1, 1] cannot be seen as [2, 2]' })
  const session = await runtime.open(graph.build())
  const { y } = await session.run({ x: { dtype: 'float32', dims: [1, 3], data: Float32Array.of(1, 1, 1) } })
  t.same(y?.data, Float32Array.of(6, 15))
  await session.release()
})

t.test('attributes of every kind and constants of every type reach the runtime', async t => {
  const graph = new GraphBuilder('kinds')
  const x = graph.input('x', 'float32', [1, 1, 2, 2])
  const upsampled = graph.node('Resize', [x, undefined, graph.constant('float32', [4], [1, 1, 2, 2])], {
    attributes: { mode: { string: 'nearest' }, coordinate_transformation_mode: { string: 'asymmetric' } },
  })
  const pooled = graph.node('AveragePool', [upsampled], { attributes: { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } } })
  const leaky = graph.node('LeakyRelu', [pooled], { attributes: { alpha: { float: 0.5 } } })
  const [top, bottom] = graph.nodes('Split', [leaky], 2, { attributes: { axis: { int: -2 }, num_outputs: { int: 2 } } })
  graph.output('y', 'float32', [1, 1, 1, 2], graph.node('Sub', [top, bottom]))
  graph.output('bytes', 'uint8', [2], graph.node('Add', [graph.constant('uint8', [2], [1, 255]), graph.constant('uint8', [], [0])]))
  graph.output('small', 'int32', [1], graph.node('Neg', [graph.constant('int32', [1], [-7])]))
  const session = await runtime.open(graph.build())
  const outputs = await session.run({ x: { dtype: 'float32', dims: [1, 1, 2, 2], data: Float32Array.of(1, -2, 3, -4) } })
  t.same(outputs.y?.data, Float32Array.of(-2, 1))
  t.same(outputs.bytes?.data, Uint8Array.of(1, 255))
  t.same(outputs.small?.data, Int32Array.of(7))
  await session.release()
})

t.test('equal constants and weights are stored once', async t => {
  const graph = new GraphBuilder('once')
  t.equal(graph.integers(1, 2).name, graph.integers(1, 2).name)
  t.not(graph.integers(1, 2).name, graph.integers(12).name)
  t.not(graph.constant('float32', [1], [1]).name, graph.constant('int64', [1], [1]).name)
  const ref = { file: '/w/a', offset: 8, byteLength: 16, dtype: 'F32', shape: [4] } as const
  t.equal(graph.weight(ref).name, graph.weight({ ...ref }).name)
  t.not(graph.weight(ref).name, graph.weight(ref, [2, 2]).name)
})

t.test('an output of another type than declared is refused', async t => {
  const graph = new GraphBuilder('wrong')
  const x = graph.input('x', 'float32', [1])
  t.throws(() => graph.output('y', 'int64', [1], x), { message: 'the output y is int64, not float32' })
  t.throws(() => graph.constant('float16', [1], [1]), { message: /written as float32 and cast/ })
})
