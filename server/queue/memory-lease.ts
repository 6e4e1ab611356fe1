import type { Lease } from './contract.ts'
import type { TaskEntry } from './task-entry.ts'
import type { TaskRecord } from './task-record.ts'

/** Why a lease's signal was aborted. */
export class LeaseEndedError extends Error {
  override readonly name = 'LeaseEndedError'
}

/** A lease as the memory queue gives it out, which alone can end it. */
export class MemoryLease implements Lease {
  readonly worker: string
  readonly record: TaskRecord
  readonly committed: readonly number[]
  readonly isRetry: boolean
  /** The queue's own; workers see a Lease. */
  readonly entry: TaskEntry
  /** Made for the first who asks: most leases end before anybody does, and it costs more than all the rest of a lease. */
  #controller: AbortController | undefined
  #endReason: Error | undefined

  constructor(worker: string, entry: TaskEntry) {
    this.worker = worker
    this.record = entry.record
    this.committed = entry.committed
    this.isRetry = entry.isRetry
    this.entry = entry
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#endReason) this.#controller.abort(this.#endReason)
    }
    return this.#controller.signal
  }

  /** A lease that came back from a worker. Throws on one that no memory queue gave out. */
  static of(lease: Lease): MemoryLease {
    if (lease instanceof MemoryLease) return lease
    throw new Error('A lease came back that was never given out')
  }

  /** @param reason of the kind LeaseEndedError */
  abort(reason: Error): void {
    this.#endReason ??= reason
    this.#controller?.abort(reason)
  }
}
