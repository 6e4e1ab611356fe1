import type { WorkPlan } from './step-plan.ts'

/** Most batch keys whose lowered caps are remembered. */
const maxRemembered = 1024

/** The caps that every run has. */
export interface RunCaps {
  readonly maxRows: number
  /** Most latent cells of a run, in what a row of the denoiser costs for each. @default Infinity */
  readonly maxCells?: number
}

/** The rows of one picture with guidance; a run takes as many however large they are. */
const fewestRows = 2

/**
 * How many rows a run may have: the configured cap, or less where that many would keep others waiting for nothing, or
 * where the device's memory has proven too small for it.
 */
export class RowCaps {
  readonly #maxRows: number
  readonly #maxCells: number
  readonly #lowered = new Map<string, number>()

  constructor({ maxRows, maxCells = Infinity }: RunCaps) {
    this.#maxRows = maxRows
    this.#maxCells = maxCells
  }

  /** @param cellsPerRow what a row of the run costs, in latent cells of the denoiser. @default 0 */
  get(stage: WorkPlan['type'], batchKey: string, cellsPerRow = 0): number {
    const rows = this.#lowered.get(`${stage} ${batchKey}`) ?? this.#maxRows
    const fewest = stage === 'denoise' ? fewestRows : 1
    return Math.min(rows, Math.max(fewest, Math.floor(this.#maxCells / cellsPerRow)))
  }

  /** Notes that more rows than this do not fit. */
  lower(stage: WorkPlan['type'], batchKey: string, rows: number): void {
    const key = `${stage} ${batchKey}`
    this.#lowered.delete(key)
    this.#lowered.set(key, rows)
    if (this.#lowered.size > maxRemembered) this.#lowered.delete(this.#lowered.keys().next().value as string)
  }
}
