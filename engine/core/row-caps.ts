import type { WorkPlan } from './step-plan.ts'

/** Most batch keys whose lowered caps are remembered. */
const maxRemembered = 1024

/** How many rows a run may have: the configured cap, or less where the device's memory has proven too small for it. */
export class RowCaps {
  readonly #maxRows: number
  readonly #lowered = new Map<string, number>()

  constructor(maxRows: number) {
    this.#maxRows = maxRows
  }

  get(stage: WorkPlan['type'], batchKey: string): number {
    return this.#lowered.get(`${stage} ${batchKey}`) ?? this.#maxRows
  }

  /** Notes that more rows than this do not fit. */
  lower(stage: WorkPlan['type'], batchKey: string, rows: number): void {
    const key = `${stage} ${batchKey}`
    this.#lowered.delete(key)
    this.#lowered.set(key, rows)
    if (this.#lowered.size > maxRemembered) this.#lowered.delete(this.#lowered.keys().next().value as string)
  }
}
