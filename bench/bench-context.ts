import type { Measure } from './report/measure.ts'

/** What a scenario has around it. */
export interface BenchContext {
  /** As `--device` takes it. */
  readonly device: string
  /** For files that nobody wants to keep. */
  readonly workFolder: string
  measure(measure: Measure): void
  /** A remark on the figures. */
  note(text: string): void
  progress(done: number, total: number, what: string): void
}

/** The scenario cannot be run here, and the message says why: that is no failure. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError'
}
