import { spawn } from 'node:child_process'
import t from 'tap'
import { poissonArrivals } from '../../bench/measure/arrivals.ts'
import { busyCores } from '../../bench/measure/busy-cores.ts'
import { compareRounds, interleave } from '../../bench/measure/interleave.ts'
import { median, round, summarize } from '../../bench/measure/percentiles.ts'
import { seededRandom } from '../../bench/measure/random.ts'
import { drawRequests, sortByKind } from '../../bench/measure/request-mix.ts'

t.test('percentiles are taken by nearest rank, whatever the order of the sample', async t => {
  const sample = Array.from({ length: 100 }, (_, index) => 100 - index)
  t.same(summarize(sample), { count: 100, p50: 50, p90: 90, p99: 99, max: 100 })
  t.same(summarize([7]), { count: 1, p50: 7, p90: 7, p99: 7, max: 7 })
  t.same(summarize([1, 2]), { count: 2, p50: 1, p90: 2, p99: 2, max: 2 })
  t.equal(sample[0], 100, 'the sample is left as it was')
  t.throws(() => summarize([]), RangeError)
})

t.test('the median of an even number of values lies between the two in the middle', async t => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.throws(() => median([]), RangeError)
  t.equal(round(1234.56), 1235)
  t.equal(round(0.00123456), 0.001235)
})

t.test('sides are measured in turns, and who goes first changes', async t => {
  const order: string[] = []
  const figures = [1, 2, 6]
  const comparison = await interleave(3, async () => {
    order.push('a')
    return figures.shift() ?? NaN
  }, async () => {
    order.push('b')
    return 2
  }, turn => void order.push(String(turn)))
  t.same(order.join(' '), '0 a b 1 b a 2 a b')
  t.same(comparison, { subject: 2, baseline: 2, ratio: 1, ratioRange: [0.5, 3] })
})

t.test('a ratio is the median of the rounds, so a moment that slows both sides changes nothing', async t => {
  const calm = { subject: 90, baseline: 100 }
  const disturbed = { subject: 9, baseline: 10 }
  t.equal(compareRounds([calm, disturbed, calm]).ratio, 0.9)
  t.equal(compareRounds([disturbed, disturbed, calm]).ratio, 0.9)
})

t.test('random numbers follow from their seed alone', async t => {
  const draw = (seed: number) => Array.from({ length: 4 }, seededRandom(seed))
  t.same(draw(1), draw(1))
  t.not(JSON.stringify(draw(1)), JSON.stringify(draw(2)))
  // The published generator's own numbers for this seed.
  t.same(draw(1).map(value => Math.round(value * 2 ** 32)), [2693262067, 11749833, 2265367787, 4213581821])
})

t.test('Poisson arrivals follow from their seed, rise, end in time, and come at their rate', async t => {
  const options = { perSecond: 50, seconds: 200, seed: 3, maxArrivals: 100_000 }
  const times = poissonArrivals(options)
  t.same(times, poissonArrivals(options))
  t.not(times[0], poissonArrivals({ ...options, seed: 4 })[0])
  t.ok(times.every((at, index) => at > (times[index - 1] ?? 0)))
  t.ok((times.at(-1) ?? Infinity) < 200_000)
  // 10,000 are expected, with a standard deviation of 100.
  t.ok(Math.abs(times.length - 10_000) < 500, `${times.length} arrivals`)
  // Of exponential gaps a share of exp(-1) is longer than the mean; of regular ones none, of uniform ones a half.
  const long = times.filter((at, index) => at - (times[index - 1] ?? 0) > 20).length / times.length
  t.ok(Math.abs(long - Math.exp(-1)) < 0.02, `${long} of the gaps are longer than the mean`)
  t.equal(poissonArrivals({ ...options, maxArrivals: 7 }).length, 7)
  t.throws(() => poissonArrivals({ ...options, perSecond: 0 }), RangeError)
})

t.test('requests are drawn by weight, the same ones for the same seed, each with a seed that the wire takes', async t => {
  const mix = [{ weight: 3, task: { steps: 4 } }, { weight: 1, task: { steps: 8, seed: 99 } }]
  const requests = drawRequests(mix, 4000, 5)
  t.same(requests, drawRequests(mix, 4000, 5))
  const share = requests.filter(({ kind }) => kind === 0).length / requests.length
  t.ok(Math.abs(share - 0.75) < 0.03, `${share} are of the first kind`)
  const isRight = ({ kind, task }: (typeof requests)[number]) =>
    kind === 0 ? task['steps'] === 4 && Number(task['seed']) >= 1 : task['steps'] === 8 && task['seed'] === 99
  t.same(requests.filter(request => !isRight(request)), [])
})

t.test('sorting keeps every request and puts those of a kind together', async t => {
  const requests = [2, 0, 1, 0, 2].map((kind, index) => ({ kind, task: { index } }))
  t.same(sortByKind(requests).map(group => group.map(({ kind, task }) => [kind, task.index])), [[[0, 1], [0, 3]], [[1, 2]], [[2, 0], [2, 4]]])
})

t.test('what another process does is seen', async t => {
  const other = spawn(process.execPath, ['-e', 'for (;;) ;'], { stdio: 'ignore' })
  t.teardown(() => other.kill('SIGKILL'))
  const busy = await busyCores(500)
  t.ok(busy > 0.3, `${busy} cores`)
})
