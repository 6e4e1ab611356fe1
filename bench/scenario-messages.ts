import type { Scenario } from './generated/scenarios.ts'
import type { Measure } from './report/measure.ts'

/** What a scenario's process is told; it is told nothing else. */
export interface ScenarioOrder {
  readonly scenario: Scenario
  readonly device: string
  /** Emptied and removed afterwards by whoever gave the order. */
  readonly workFolder: string
}

/** What a scenario's process tells while it runs. Figures are told as they come, so that those of a scenario that is stopped are not lost. */
export type ScenarioMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly done: number; readonly total: number; readonly what: string }
  | { readonly type: 'measure'; readonly measure: Measure }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'ended'; readonly outcome: 'measured' | 'skipped' | 'failed'; readonly reason?: string }
