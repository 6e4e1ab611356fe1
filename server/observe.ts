import type { RunReport } from '../engine/index.ts'
import type { Metrics } from './metrics.ts'
import { WorkerState } from './worker/worker-status.ts'
import type { WorkerStatus } from './worker/worker-status.ts'

/** Counts one run of a network. */
export function observeRun(metrics: Metrics, { stage, rows, durationMs }: RunReport): void {
  metrics.runRows.observe({ stage }, rows)
  metrics.runDuration.observe({ stage }, durationMs / 1000)
}

/** What is looked at now and then instead of being counted. */
export interface Observed {
  readonly queue: { readonly waiting: number; readonly unfinished: number }
  readonly workers: readonly WorkerStatus[]
}

/** Sets the gauges of the queue and the workers. */
export function observeState(metrics: Metrics, { queue, workers }: Observed): void {
  metrics.tasksWaiting.set(queue.waiting)
  metrics.tasksUnfinished.set(queue.unfinished)
  for (const state of Object.values(WorkerState)) {
    metrics.workers.set({ state }, workers.filter(worker => worker.state === state).length)
  }
  metrics.workerRestarts.set(workers.reduce((sum, { restarts }) => sum + restarts, 0))
}
