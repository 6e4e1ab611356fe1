import t from 'tap'
import { KeptFeeds } from '../../../engine/pipelines/kept-feeds.ts'
import { RowInput } from '../../../engine/pipelines/row-input.ts'

/** Writes a source's only number, and notes it. */
function writer() {
  const written: number[] = []
  const write = (source: { readonly value: number }, row: Float32Array) => {
    written.push(source.value)
    row.fill(source.value)
  }
  return { write, take: () => written.splice(0) }
}

t.test('a row is written again only where another source has come', async (t) => {
  const input = new RowInput('float32')
  const { write, take } = writer()
  const [a, b, c] = [{ value: 1 }, { value: 2 }, { value: 3 }]
  const first = input.keep([2, 2], [a, b], write)
  t.same(first, { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, 1, 2, 2) })
  t.same(take(), [1, 2])
  t.equal(input.keep([2, 2], [a, c], write), first, 'the same tensor as long as the dims are the same')
  t.same(first.data, Float32Array.of(1, 1, 3, 3))
  t.same(take(), [3])
  t.same(input.keep([1, 2], [a], write).data, Float32Array.of(1, 1))
  t.same(input.keep([2, 2], [a, c], write).data, Float32Array.of(1, 1, 3, 3))
  t.same(take(), [], 'fewer rows and as many again leave them where they are')
})

t.test('rows that lie elsewhere are written anew', async (t) => {
  const input = new RowInput('float32')
  const { write, take } = writer()
  const [a, b] = [{ value: 1 }, { value: 2 }]
  input.keep([2, 2], [a, b], write)
  take()
  t.same(input.keep([2, 1], [a, b], write).data, Float32Array.of(1, 2), 'smaller ones in the same buffer')
  t.same(take(), [1, 2])
  t.same(input.keep([2, 2], [a, b], write).data, Float32Array.of(1, 1, 2, 2), 'and larger ones after them')
  t.same(take(), [1, 2])
  t.same(input.keep([3, 2], [a, b, a], write).data, Float32Array.of(1, 1, 2, 2, 1, 1), 'in a larger buffer')
  t.same(take(), [1, 2, 1])
})

t.test('a row whose writing failed is not taken for written', async (t) => {
  const input = new RowInput('uint8')
  const source = { value: 1 }
  t.throws(() => input.keep([1, 1], [source], () => { throw new RangeError('too long') }), /too long/)
  t.same(input.keep([1, 1], [source], ({ value }, row) => row.fill(value)).data, Uint8Array.of(1))
})

t.test('joined feeds are the same object as long as all tensors are the same', async (t) => {
  const feeds = new KeptFeeds()
  const tensor = () => ({ dtype: 'float32', dims: [1], data: new Float32Array(1) }) as const
  const [x, y, z] = [tensor(), tensor(), tensor()]
  const first = feeds.join([{ x }, { y }])
  t.same(Object.keys(first), ['x', 'y'])
  t.equal(feeds.join([{ x }, { y }]), first)
  t.equal(feeds.join([{ x }, { y: z }]).y, z, 'another tensor of the same dims')
  t.same(Object.keys(feeds.join([{ x }])), ['x'], 'a part less')
  t.same(Object.keys(feeds.join([{ x }, { y, z }])), ['x', 'y', 'z'], 'an input more')
  t.same(Object.keys(feeds.join([{ x }, { y }])), ['x', 'y'], 'an input less')
})
