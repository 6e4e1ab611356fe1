import type { Device } from '../../engine/index.ts'

/** starting → ready → backingOff → starting …; failed after too many failed starts; stopped by us. */
export const WorkerState = {
  starting: 'starting',
  ready: 'ready',
  backingOff: 'backingOff',
  failed: 'failed',
  stopped: 'stopped',
} as const
export type WorkerState = (typeof WorkerState)[keyof typeof WorkerState]

/** One worker as readiness and the start-up message show it. */
export interface WorkerStatus {
  readonly device: Device
  readonly state: WorkerState
  /** Of the process that runs now. */
  readonly pid?: number
  /** Why it is not ready. */
  readonly reason?: string
  /** Restarts after a process that had been ready ended. */
  readonly restarts: number
}
