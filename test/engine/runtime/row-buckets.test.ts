import t from 'tap'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { rowBucketsFor, withRowBuckets } from '../../../engine/runtime/row-buckets.ts'
import { fakeRuntime } from '../../../engine/runtime/fake-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'

const floats = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from(data) })

/** twice = 2 · a, whatever the scale. */
function graph(): ModelGraph {
  const builder = new GraphBuilder('twice')
  const a = builder.input('a', 'float32', ['rows', 2])
  builder.input('scale', 'float32', [1])
  builder.output('twice', 'float32', ['rows', 2], builder.node('Add', [a, a]))
  return builder.build()
}

t.test('runs on CUDA have few numbers of rows, none beyond the most; on the processor any', async t => {
  t.same(rowBucketsFor({ type: 'cpu' }, 32), [])
  t.same(rowBucketsFor({ type: 'cuda', index: 0 }, 32), [1, 2, 4, 6, 8, 12, 16, 24, 32])
  t.same(rowBucketsFor({ type: 'cuda', index: 0 }, 5), [1, 2, 4, 5])
  t.same(rowBucketsFor({ type: 'cuda', index: 0 }, 1), [1])
})

t.test('rows are added for the run and left out of what it gives', async t => {
  const seen: (readonly number[])[] = []
  // Rows take time and changes none, so that every run has the rows that fit.
  let clock = 0
  const runtime = fakeRuntime({
    beforeRun: (_, feeds) => {
      const { data } = feeds['a'] as Tensor<'float32'>
      seen.push([...data])
      clock += data.length
    },
  })
  const plain = await runtime.open(graph())
  const session = withRowBuckets(plain, [1, 4], () => clock)
  const scale = floats([1], [1])
  for (const rows of [1, 2, 3, 4, 5]) {
    const a = floats([rows, 2], Array.from({ length: 2 * rows }, (_, i) => i))
    const [padded, alone] = [await session.run({ a, scale }), await plain.run({ a, scale })]
    t.same(padded.twice?.dims, [rows, 2])
    t.equal(padded.twice?.data.length, 2 * rows)
    t.same([...(padded.twice?.data ?? [])], [...(alone.twice?.data ?? [])], `${rows} rows`)
  }
  t.same(seen[2], [0, 1, 2, 3, 2, 3, 2, 3], 'the last row is repeated')
  t.same(seen.filter((_, run) => run % 2 === 0).map(values => values.length / 2), [1, 4, 4, 4, 5], 'a run beyond all buckets stays as it is')
})

t.test('rows are kept from run to run where a change is dear, and what comes out stays the same', async t => {
  const runs: number[] = []
  let clock = 0
  const runtime = fakeRuntime({
    beforeRun: (_, feeds) => {
      const rows = feeds['a']?.dims[0] ?? 0
      clock += 10 + rows + (rows === runs.at(-1) ? 0 : 1000)
      runs.push(rows)
    },
  })
  const plain = await fakeRuntime().open(graph())
  const session = withRowBuckets(await runtime.open(graph()), [1, 2, 4, 8], () => clock)
  for (const rows of [4, 4, 3, 1, 7, 8, 4, 11]) {
    const feeds = { a: floats([rows, 2], Array.from({ length: 2 * rows }, (_, i) => i)), scale: floats([1], [1]) }
    t.same(await session.run(feeds), await plain.run(feeds), `${rows} rows`)
  }
  t.same(runs, [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4], 'seven, eight and eleven rows in runs of four')
})

t.test('a feed that does not fit is still refused by its name', async t => {
  const session = withRowBuckets(await fakeRuntime().open(graph()), [4])
  await t.rejects(session.run({ a: floats([2, 2], [1]), scale: floats([1], [1]) }), { message: /^twice's input a/ })
  await t.rejects(session.run({ scale: floats([1], [1]) }), { message: 'twice was not given its input a' })
})

t.test('the runtime rounds the rows of every graph it opens', async t => {
  const runtime = await openRuntime({ type: 'cpu' }, { threads: 1, rowBuckets: [4] })
  const session = await runtime.open(graph())
  const { twice } = await session.run({ a: floats([3, 2], [1, 2, 3, 4, 5, 6]), scale: floats([1], [1]) })
  t.same(twice, floats([3, 2], [2, 4, 6, 8, 10, 12]))
  await session.release()
})
