import t from 'tap'
import { RowChoice } from '../../../engine/runtime/row-choice.ts'

const buckets = [1, 2, 4, 8, 16]

/** A device on which a change of shape takes as long as a hundred rows; it counts what it did. */
function device({ changeMs = 500, baseMs = 10, rowMs = 5 } = {}) {
  const choice = new RowChoice(buckets)
  const did = { milliseconds: 0, changes: 0, runs: [] as number[] }
  let last = ''
  const run = (rows: number, shape = '64x64'): readonly number[] => {
    const each = choice.choose(shape, rows)
    const runs = Array.from({ length: Math.ceil(rows / each) }, () => each)
    for (const rowsOfRun of runs) {
      const isChange = last !== `${shape} ${rowsOfRun}`
      const took = baseMs + rowMs * rowsOfRun + (isChange ? changeMs : 0)
      last = `${shape} ${rowsOfRun}`
      did.milliseconds += took
      did.changes += isChange ? 1 : 0
      choice.ran(took)
    }
    return runs
  }
  return { run, did, choice }
}

t.test('as long as nothing is known, every number of rows has its own runs', async t => {
  const { run } = device()
  t.same([8, 3, 16, 1].map(rows => run(rows)), [[8], [4], [16], [1]])
})

t.test('fewer rows are filled up, more are split, while that loses less than a change', async t => {
  const { run } = device()
  run(8)
  run(8)
  t.same(run(7), [8])
  t.same(run(3), [8], 'four rows would take 20 ms less')
  t.same(run(10), [8, 8])
})

t.test('rows that stay different are changed to once the loss has reached the change', async t => {
  const { run, did } = device()
  for (let i = 0; i < 5; i++) run(16)
  for (let i = 0; i < 200; i++) run(1)
  t.equal(did.changes, 2, 'one for each number of rows')
  t.same(run(1), [1])
})

t.test('where a change costs nothing, rows are always those that fit', async t => {
  const { run } = device({ changeMs: 0 })
  for (let i = 0; i < 3; i++) for (const rows of [16, 16, 2, 2, 8, 8]) run(rows)
  t.same([16, 2, 8, 1].map(rows => run(rows)), [[16], [2], [8], [1]])
})

t.test('another shape is always a change, and its times are its own', async t => {
  const { run, did } = device()
  for (let i = 0; i < 3; i++) run(8)
  run(8, '96x96')
  t.same(run(2, '96x96'), [2], 'what 8 rows of this shape take without a change is not known yet')
  t.equal(did.changes, 3)
})

t.test('requests that come and go cost a small part of what changing at every step would', async t => {
  const { run, did } = device()
  let rows = 4
  let following = 0
  let last = 0
  // A walk of the rows as joining and leaving makes it, the same on every run.
  for (let step = 0, seed = 7; step < 2000; step++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    rows = Math.min(16, Math.max(1, rows + (seed >> 16) % 3 - 1))
    const fit = buckets.find(each => each >= rows) as number
    following += 10 + 5 * fit + (fit === last ? 0 : 500)
    last = fit
    run(rows)
  }
  t.ok(did.milliseconds < following * 0.7, `${did.milliseconds} ms against ${following} ms`)
})

t.test('after a failure the next run takes no more rows than it needs', async t => {
  const { run, choice } = device()
  for (let i = 0; i < 3; i++) run(16)
  t.same(run(8), [16])
  choice.failed()
  t.same(run(8), [8])
})
