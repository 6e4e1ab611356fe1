import { rowsOf, type ReadyGeneration } from './batcher.ts'
import type { Generation } from './generation.ts'
import { GenerationStatus } from './generation-status.ts'

/** The generations of one batch key that share its next run, and who has to be first in the run after. */
export interface RowPick {
  readonly generations: readonly ReadyGeneration[]
  /** Was due, but needs more rows than were left, and another took its place. */
  readonly passedOver: ReadyGeneration | undefined
}

/**
 * Fills a run's rows.
 *
 * Owners take turns: each owner's oldest generation, then each one's second, and so on, so a newcomer gets a row at
 * the next step even where one owner could fill the run alone. Within a turn those of the lowest rank go first, and
 * among equals those that are started. No row stays empty while a
 * generation would fit into it; the one that was passed over for it is first next time, so none starves.
 * @param rankOf of two ranks the first number that differs decides; see `OwnerShares`
 */
export function pickRows(
  candidates: readonly ReadyGeneration[],
  maxRows: number,
  rankOf: (generation: ReadyGeneration) => readonly number[],
  first: Generation | undefined,
): RowPick {
  if (allFit(candidates, maxRows)) return { generations: candidates, passedOver: undefined }
  const picked: ReadyGeneration[] = []
  let passedOver: ReadyGeneration | undefined
  let due: ReadyGeneration | undefined
  let freeRows = maxRows
  for (const generation of inTurns(candidates, rankOf, first)) {
    if (freeRows === 0) break
    // A generation that exceeds the whole run goes alone; the pipeline splits its rows.
    const rows = Math.min(rowsOf(generation), maxRows)
    if (rows > freeRows) {
      due ??= generation
      continue
    }
    if (due !== undefined) passedOver ??= due
    picked.push(generation)
    freeRows -= rows
  }
  return { generations: picked, passedOver }
}

/** Then nobody's turn matters, and rows keep their places from step to step. */
function allFit(candidates: readonly ReadyGeneration[], maxRows: number): boolean {
  let rows = 0
  for (const generation of candidates) rows += Math.min(rowsOf(generation), maxRows)
  return rows <= maxRows
}

/** All candidates in the order in which they may take rows. */
function inTurns(candidates: readonly ReadyGeneration[], rankOf: (generation: ReadyGeneration) => readonly number[], first: Generation | undefined) {
  const turnOf = new Map<ReadyGeneration, number>()
  const counts = new Map<string, number>()
  for (const generation of startedFirst(candidates)) {
    const turn = counts.get(generation.owner) ?? 0
    turnOf.set(generation, turn)
    counts.set(generation.owner, turn + 1)
  }
  const order = (generation: ReadyGeneration): readonly number[] => [
    generation === first ? 0 : 1,
    turnOf.get(generation) ?? 0,
    ...rankOf(generation),
    isStarted(generation) ? 0 : 1,
  ]
  return candidates.map((generation) => ({ generation, order: order(generation) })).sort(byOrder).map(({ generation }) => generation)
}

function startedFirst(candidates: readonly ReadyGeneration[]): readonly ReadyGeneration[] {
  return [...candidates.filter(isStarted), ...candidates.filter((generation) => !isStarted(generation))]
}

function isStarted(generation: Generation): boolean {
  return generation.status === GenerationStatus.running
}

function byOrder(a: { readonly order: readonly number[] }, b: { readonly order: readonly number[] }): number {
  for (let i = 0; i < a.order.length; i++) {
    const difference = (a.order[i] as number) - (b.order[i] as number)
    if (difference !== 0) return difference
  }
  return 0
}
