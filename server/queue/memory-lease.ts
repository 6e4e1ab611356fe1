import type { Lease } from './contract.ts'
import type { TaskEntry } from './task-entry.ts'

/** The memory queue's side of a lease: the only one who can end it. */
export interface MemoryLease {
  readonly lease: Lease
  readonly entry: TaskEntry
  abort(reason: Error): void
}

/** Why a lease's signal was aborted. */
export class LeaseEndedError extends Error {
  override readonly name = 'LeaseEndedError'
}

/** Makes the lease of a worker on a task. */
export function grantLease(worker: string, entry: TaskEntry): MemoryLease {
  const controller = new AbortController()
  const lease: Lease = {
    worker,
    record: entry.record,
    committed: entry.committed,
    isRetry: entry.isRetry,
    signal: controller.signal,
  }
  return { lease, entry, abort: reason => controller.abort(reason) }
}
