/** The usual figures of a sample, in the sample's unit. */
export function summarize(sample: readonly number[]) {
  const sorted = [...sample].sort((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN)
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
