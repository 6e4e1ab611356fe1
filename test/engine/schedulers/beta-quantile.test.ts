import t from 'tap'
import { betaQuantile } from '../../../engine/schedulers/beta-quantile.ts'

// From scipy.stats.beta.ppf(probability, a, b).
const EXPECTED: readonly [probability: number, a: number, b: number, quantile: number][] = [
  [1e-9, 0.6, 0.6, 1.85588246249141e-15],
  [0.0001, 0.6, 0.6, 3.998377158137721e-7],
  [0.01, 0.6, 0.6, 0.0008612388215429059],
  [0.05, 0.6, 0.6, 0.012554456873611399],
  [0.25, 0.6, 0.6, 0.17568037865269498],
  [0.5, 0.6, 0.6, 0.5],
  [0.7368421052631579, 0.6, 0.6, 0.8094583885226485],
  [0.95, 0.6, 0.6, 0.9874455431263885],
  [0.99, 0.6, 0.6, 0.9991387611784571],
  [0.9999, 0.6, 0.6, 0.9999996001622842],
  [0.001, 2, 5, 0.008255492787746678],
  [0.3, 2, 5, 0.18180347131894917],
  [0.8, 2, 5, 0.42244752484627207],
]

t.test("quantiles of the beta distribution are scipy's to 1e-11", async (t) => {
  for (const [probability, a, b, quantile] of EXPECTED) {
    const found = betaQuantile(probability, a, b)
    t.ok(Math.abs(found / quantile - 1) <= 1e-11, `${probability} of beta(${a}, ${b}): ${found}`)
  }
})

t.test('nothing lies below 0 and everything below 1', async (t) => {
  t.equal(betaQuantile(0, 0.6, 0.6), 0)
  t.equal(betaQuantile(1, 0.6, 0.6), 1)
})
