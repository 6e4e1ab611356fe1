import { median, round } from './percentiles.ts'

/** One side of a comparison: measures itself once and gives its figure. */
export type Side = () => Promise<number>

/** Two sides that were measured in turns. */
export interface Comparison {
  /** Medians over the rounds. */
  readonly subject: number
  readonly baseline: number
  /** The median of the rounds' ratios, subject to baseline; each round's two figures come from the same moments of the machine. */
  readonly ratio: number
  /** Lowest and highest ratio of a round: how far the median can be trusted. */
  readonly ratioRange: readonly [number, number]
}

/**
 * Measures two sides in turns, because a machine that others use too is never the same for long: what disturbs one round
 * disturbs both its sides, and their ratio stays. Who goes first changes with every round.
 * @param onRound called before each round with its number, from 0
 */
export async function interleave(rounds: number, subject: Side, baseline: Side, onRound?: (turn: number) => void): Promise<Comparison> {
  const figures: { subject: number; baseline: number }[] = []
  for (let turn = 0; turn < rounds; turn++) {
    onRound?.(turn)
    if (turn % 2 === 0) {
      const first = await subject()
      figures.push({ subject: first, baseline: await baseline() })
    } else {
      const first = await baseline()
      figures.push({ baseline: first, subject: await subject() })
    }
  }
  return compareRounds(figures)
}

/** Sums up rounds that were measured already. */
export function compareRounds(rounds: readonly { readonly subject: number; readonly baseline: number }[]): Comparison {
  const ratios = rounds.map(each => each.subject / each.baseline)
  return {
    subject: round(median(rounds.map(each => each.subject))),
    baseline: round(median(rounds.map(each => each.baseline))),
    ratio: round(median(ratios)),
    ratioRange: [round(Math.min(...ratios)), round(Math.max(...ratios))],
  }
}
