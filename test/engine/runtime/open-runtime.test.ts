import t from 'tap'
import { cast } from '../../../engine/graph/common-nodes.ts'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import { fakeRuntime } from '../../../engine/runtime/fake-runtime.ts'
import type { ModelSession, Runtime } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'

/** y = a + the row's mean of b, with the shapes of a small network. */
function sumGraph(): ModelGraph {
  const graph = new GraphBuilder('sum')
  const a = graph.input('a', 'float32', ['rows', 2])
  const b = graph.input('b', 'float32', ['rows', 'tokens'])
  const mean = graph.node('ReduceMean', [b, graph.integers(1)], { attributes: { keepdims: { int: 1 } } })
  graph.output('y', 'float32', ['rows', 2], graph.node('Add', [a, mean]))
  return graph.build()
}

const float = (dims: readonly number[], ...data: number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from(data) })
const GOOD = { a: float([2, 2], 1, 2, 3, 4), b: float([2, 3], 0, 0, 3, 6, 6, 6) }
// No type checker stands between JavaScript callers and the runtime.
const WRONG_ARRAY = { dtype: 'float32', dims: [2, 2], data: new Uint8Array(4) } as unknown as Tensor

const RUNTIMES: readonly [string, () => Runtime | Promise<Runtime>][] = [
  ['the processor', () => openRuntime({ type: 'cpu' }, { threads: 1 })],
  ['the fake', () => fakeRuntime()],
]

for (const [name, make] of RUNTIMES) {
  t.test(`a session of ${name} refuses feeds that do not fit and names them`, async t => {
    const runtime = await make()
    const session: ModelSession = await runtime.open(sumGraph())
    const cases: readonly [Readonly<Record<string, Tensor>>, string][] = [
      [{ a: GOOD.a }, 'sum was not given its input b'],
      [{ ...GOOD, c: GOOD.a }, 'sum has no input c'],
      [{ ...GOOD, a: { dtype: 'int64', dims: [2, 2], data: new BigInt64Array(4) } }, "sum's input a must be float32, not int64"],
      [{ ...GOOD, a: WRONG_ARRAY }, "sum's input a must hold its data in a Float32Array"],
      [{ ...GOOD, a: float([2, 3], 1, 2, 3, 4, 5, 6) }, "sum's input a must have the dims [rows, 2], not [2, 3]"],
      [{ ...GOOD, a: float([4], 1, 2, 3, 4) }, "sum's input a must have the dims [rows, 2], not [4]"],
      [{ ...GOOD, a: float([0, 2]) }, "sum's input a must have the dims [rows, 2], not [0, 2]"],
      [{ ...GOOD, b: float([1, 3], 1, 2, 3) }, "sum's input b must have the dims [rows=2, tokens], not [1, 3]"],
      [{ ...GOOD, b: float([2, 3], 1, 2) }, "sum's input b has 2 elements, not the 6 of its dims [2, 3]"],
    ]
    for (const [feeds, message] of cases) {
      await t.rejects(session.run(feeds), { name: 'RuntimeError', message: message }, message)
    }
    await session.release()
    await session.release()
    await t.rejects(session.run(GOOD), { name: 'RuntimeError', message: 'sum was released' })
  })
}

t.test('the processor computes the graph', async t => {
  const runtime = await openRuntime({ type: 'cpu' }, { threads: 2 })
  t.same(runtime.device, { type: 'cpu' })
  const session = await runtime.open(sumGraph())
  t.same((await session.run(GOOD)).y, float([2, 2], 2, 3, 9, 10))
  await session.release()
})

t.test('feeds that are the same object as before are taken with the values that their arrays hold now', async t => {
  const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
  const session = await runtime.open(sumGraph())
  const feeds = { a: float([1, 2], 1, 2), b: float([1, 1], 10) }
  t.same((await session.run(feeds)).y?.data, Float32Array.of(11, 12))
  feeds.a.data.set([3, 4] as never)
  t.same((await session.run(feeds)).y?.data, Float32Array.of(13, 14))
  t.same((await session.run(GOOD)).y, float([2, 2], 2, 3, 9, 10))
  t.same((await session.run(feeds)).y?.data, Float32Array.of(13, 14))
  await t.rejects(session.run({ ...feeds, b: GOOD.b }), { name: 'RuntimeError' }, 'another object is looked at')
  t.same((await session.run(feeds)).y?.data, Float32Array.of(13, 14))
  await session.release()
  await t.rejects(session.run(feeds), { name: 'RuntimeError', message: 'sum was released' })
})

t.test('a graph that cannot be opened says which and where', async t => {
  const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
  const broken = { ...sumGraph(), encode: () => Uint8Array.of(1, 2, 3) }
  await t.rejects(runtime.open(broken), { name: 'RuntimeError', message: /^sum cannot be opened on the CPU: / })
  await t.rejects(openRuntime({ type: 'cpu' }, { threads: 0 }), { message: 'threads must be a positive whole number, not 0' })
})

t.test('the fake computes as its description says, row by row', async t => {
  const seen: string[] = []
  const runtime = fakeRuntime({ device: { type: 'cuda', index: 1 }, beforeRun: name => { seen.push(name) } })
  t.same(runtime.device, { type: 'cuda', index: 1 })
  const session = await runtime.open(sumGraph())
  // Row 0: 1 · mean(1, 2) + 2 · mean(0, 0, 3) = 3.5; row 1: 1 · 3.5 + 2 · 6 = 15.5; elements times 1/7 and 2/7.
  t.same((await session.run(GOOD)).y, float([2, 2], 3.5 / 7, 7 / 7, 15.5 / 7, 31 / 7))
  const alone = await session.run({ a: float([1, 2], 3, 4), b: float([1, 3], 6, 6, 6) })
  t.same(alone.y, float([1, 2], 15.5 / 7, 31 / 7))
  t.same(seen, ['sum', 'sum'])
})

t.test('the fake gives pictures of eight times the latents\' size', async t => {
  const graph = new GraphBuilder('vae_decoder')
  const latents = graph.input('latents', 'float32', ['rows', 4, 'h', 'w'])
  graph.output('image', 'uint8', ['rows', 'height', 'width', 3], cast(graph, latents, 'uint8'))
  const session = await fakeRuntime().open(graph.build())
  const { image } = await session.run({ latents: { dtype: 'float32', dims: [1, 4, 2, 3], data: new Float32Array(24).fill(70) } })
  t.same(image?.dims, [1, 16, 24, 3])
  t.same([...(image?.data ?? [])].slice(0, 8), [10, 20, 30, 40, 50, 60, 70, 10])
})

t.test('a run of a shape that was run before takes no more memory on the processor', async t => {
  const mebibyte = 2 ** 20
  const graph = new GraphBuilder('wide')
  const x = graph.input('x', 'float32', ['rows', 1])
  // Each of the values takes 32 MiB a row, and no operator may write where it reads.
  let wide = graph.node('Expand', [x, graph.integers(1, 8 * mebibyte)])
  for (let layer = 0; layer < 3; layer++) wide = graph.node('CumSum', [wide, graph.constant('int64', [], [1])])
  graph.output('y', 'float32', ['rows'], graph.node('ReduceMax', [wide, graph.integers(1)], { attributes: { keepdims: { int: 0 } } }))
  const session = await (await openRuntime({ type: 'cpu' }, { threads: 1 })).open(graph.build())
  const feeds = { x: float([1, 1], 0) }
  await session.run(feeds)
  const residentAfterFirst = process.memoryUsage.rss()
  for (let run = 0; run < 3; run++) await session.run(feeds)
  t.ok(process.memoryUsage.rss() - residentAfterFirst < 16 * mebibyte)
  await session.release()
})
