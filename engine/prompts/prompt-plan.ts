import type { PromptToken } from './prompt-token.ts'

/** What a text encoder takes in one row. */
export interface EncoderRow {
  readonly tokens: readonly PromptToken[]
  /** First and last place that no other place may look at. */
  readonly hidden?: readonly [number, number]
}

/** A row's part of a block: one weight for all its states, or one for each. */
export interface PlanTerm {
  readonly row: EncoderRow
  readonly weights: number | readonly number[]
}

/** One chunk's place in the context: the weighted sum of rows' states. */
export type PlanBlock = readonly PlanTerm[]

/** How a prompt's states are put together; the blocks stand one after the other. */
export interface PromptPlan {
  readonly blocks: readonly PlanBlock[]
  /** The row whose vector stands for the whole text, from text encoders that give one. */
  readonly whole: EncoderRow
  /** What fills a shorter plan up: the states of no text. */
  readonly padding: PlanBlock
}

/** A plan of `count` blocks at least, filled up with its padding. */
export function padPlan(plan: PromptPlan, count: number): PromptPlan {
  const { blocks, padding } = plan
  if (blocks.length >= count) return plan
  return { ...plan, blocks: [...blocks, ...new Array<PlanBlock>(count - blocks.length).fill(padding)] }
}

/** A row's states as they are. */
export function plainBlock(tokens: readonly PromptToken[]): PlanBlock {
  return [{ row: { tokens }, weights: 1 }]
}

/** The first chunk of a prompt, which stands for the whole of it. */
export function wholeOf(blocks: readonly PlanBlock[]): EncoderRow {
  return (blocks[0]?.[0] as PlanTerm).row
}
