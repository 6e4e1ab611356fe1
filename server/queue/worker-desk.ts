import type { MemoryLease } from './memory-lease.ts'

/** What one worker holds. */
interface Holder {
  readonly leases: Map<string, MemoryLease>
  /** Monotonic ms of its last sign of life. */
  seenAt: number
}

/** Which worker holds which tasks, and when each was last heard of. */
export class WorkerDesk {
  readonly #holders = new Map<string, Holder>()

  /** Marks a worker as alive. */
  see(worker: string, now: number): void {
    const holder = this.#holders.get(worker)
    if (holder) holder.seenAt = now
    else this.#holders.set(worker, { leases: new Map(), seenAt: now })
  }

  hold(held: MemoryLease): void {
    const holder = this.#holders.get(held.lease.worker)
    if (!holder) throw new Error('A lease was given to a worker that was never seen')
    holder.leases.set(held.entry.id, held)
  }

  /** The lease of a worker on a task; undefined when it was lost. */
  find(worker: string, taskId: string): MemoryLease | undefined {
    return this.#holders.get(worker)?.leases.get(taskId)
  }

  /** The lease on a task, whoever holds it. */
  findByTask(taskId: string): MemoryLease | undefined {
    for (const holder of this.#holders.values()) {
      const held = holder.leases.get(taskId)
      if (held) return held
    }
    return undefined
  }

  release(held: MemoryLease): void {
    this.#holders.get(held.lease.worker)?.leases.delete(held.entry.id)
  }

  /** Takes all leases from a worker and forgets it. */
  dismiss(worker: string): readonly MemoryLease[] {
    const holder = this.#holders.get(worker)
    this.#holders.delete(worker)
    return holder ? [...holder.leases.values()] : []
  }

  isIdle(worker: string): boolean {
    return (this.#holders.get(worker)?.leases.size ?? 0) === 0
  }

  /** True while the worker runs a task that has to be alone. */
  isReserved(worker: string): boolean {
    for (const held of this.#holders.get(worker)?.leases.values() ?? []) {
      if (held.lease.isRetry) return true
    }
    return false
  }

  /** Workers that hold something and were not heard of since. */
  silentSince(time: number): readonly string[] {
    return [...this.#holders].filter(([, holder]) => holder.seenAt <= time).map(([worker]) => worker)
  }
}
