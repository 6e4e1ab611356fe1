import type { Measure } from './measure.ts'
import type { MachineFacts } from './machine.ts'

/** What became of a scenario. `stopped`: its time was over; what it had measured until then stands. */
export type ScenarioOutcome = 'measured' | 'skipped' | 'stopped' | 'failed'

/** A scenario as it was run. */
export interface ScenarioReport {
  readonly name: string
  readonly title: string
  readonly outcome: ScenarioOutcome
  /** Why it was skipped, stopped or failed. */
  readonly reason?: string
  readonly seconds: number
  readonly measures: readonly Measure[]
  /** Remarks of the scenario on its own figures. */
  readonly notes?: readonly string[]
  /** The scenario itself, with its defaults filled in. */
  readonly scenario: unknown
}

/** A run of the bench: the file in `bench/results`. */
export interface Report extends MachineFacts {
  readonly startedAt: string
  readonly seconds: number
  readonly device: string
  readonly scenarios: readonly ScenarioReport[]
}
