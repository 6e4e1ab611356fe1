import { seededRandom } from './random.ts'

/** What a Poisson process needs. */
export interface PoissonOptions {
  readonly perSecond: number
  readonly seconds: number
  readonly seed: number
  /** However high the rate, no more arrive. */
  readonly maxArrivals: number
}

/** When requests arrive that know nothing of each other, in ms from the start: gaps are exponential. The same seed gives the same times. */
export function poissonArrivals({ perSecond, seconds, seed, maxArrivals }: PoissonOptions): readonly number[] {
  if (!(perSecond > 0)) throw new RangeError(`A rate has to be above 0, not ${perSecond}`)
  const random = seededRandom(seed)
  const times: number[] = []
  for (let at = 0; times.length < maxArrivals;) {
    at += -Math.log(1 - random()) / perSecond * 1000
    if (at >= seconds * 1000) break
    times.push(at)
  }
  return times
}
