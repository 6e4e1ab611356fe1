import type { Comparison } from '../measure/interleave.ts'
import type { Summary } from '../measure/percentiles.ts'

/** One figure of a scenario. */
export interface Measure {
  /** What was measured; unique in its scenario, and the same from run to run. */
  readonly name: string
  readonly unit: string
  readonly value: number
  readonly isLowerBetter?: boolean
  /** What it was measured against in the same run. */
  readonly baseline?: { readonly name: string; readonly value: number }
  /** Value to baseline; of measures that were interleaved the median of the rounds. */
  readonly ratio?: number
  readonly ratioRange?: readonly [number, number]
  /** Latencies behind the value. */
  readonly ms?: Summary
  /** What the figure has to reach, in words, and whether it did. */
  readonly goal?: { readonly text: string; readonly isMet: boolean }
  /** Further figures, by their name with its unit. */
  readonly details?: Readonly<Record<string, number | string>>
}

/** Bounds that a ratio is held against. */
export interface RatioGoal {
  readonly minRatio?: number
  readonly maxRatio?: number
}

/** The fields of a measure that was interleaved with its baseline. */
export function compared(comparison: Comparison, baselineName: string, goal: RatioGoal = {}): Pick<Measure, 'value' | 'baseline' | 'ratio' | 'ratioRange' | 'goal'> {
  const { subject, baseline, ratio, ratioRange } = comparison
  return { value: subject, baseline: { name: baselineName, value: baseline }, ratio, ratioRange, ...ratioGoal(ratio, goal) }
}

/** Says whether a ratio is within its bounds; nothing where it has none. */
export function ratioGoal(ratio: number, { minRatio, maxRatio }: RatioGoal): Pick<Measure, 'goal'> {
  if (minRatio !== undefined) return { goal: { text: `ratio ≥ ${minRatio}`, isMet: ratio >= minRatio } }
  if (maxRatio !== undefined) return { goal: { text: `ratio ≤ ${maxRatio}`, isMet: ratio <= maxRatio } }
  return {}
}
