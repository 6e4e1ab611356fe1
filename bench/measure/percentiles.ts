/** What is told of a sample, in the sample's unit. */
export interface Summary {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** The usual figures of a sample by nearest rank: the p90 is the smallest value that nine tenths of the sample do not exceed. */
export function summarize(sample: readonly number[]): Summary {
  if (sample.length === 0) throw new RangeError('There is nothing to summarize')
  const sorted = [...sample].sort((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number)
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** The middle value, or the mean of the two in the middle. */
export function median(sample: readonly number[]): number {
  if (sample.length === 0) throw new RangeError('Nothing has no median')
  const sorted = [...sample].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] as number : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Four significant digits, so that results files can be read. */
export function round(value: number): number {
  return Number(value.toPrecision(4))
}
