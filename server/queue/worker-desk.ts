import type { MemoryLease } from './memory-lease.ts'

/** What one worker holds. */
interface Holder {
  readonly leases: Set<MemoryLease>
  /** How many of them are on tasks of each account. */
  readonly accounts: Map<string, number>
  /** Those of them on tasks that have to run alone. */
  retries: number
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
    else this.#holders.set(worker, { leases: new Set(), accounts: new Map(), retries: 0, seenAt: now })
  }

  hold(lease: MemoryLease): void {
    const holder = this.#holders.get(lease.worker)
    if (!holder) throw new Error('A lease was given to a worker that was never seen')
    holder.leases.add(lease)
    const account = accountOf(lease)
    holder.accounts.set(account, (holder.accounts.get(account) ?? 0) + 1)
    if (lease.isRetry) holder.retries++
  }

  release(lease: MemoryLease): void {
    const holder = this.#holders.get(lease.worker)
    if (!holder?.leases.delete(lease)) return
    const account = accountOf(lease)
    const left = (holder.accounts.get(account) ?? 0) - 1
    if (left > 0) holder.accounts.set(account, left)
    else holder.accounts.delete(account)
    if (lease.isRetry) holder.retries--
  }

  /** Takes all leases from a worker and forgets it. */
  dismiss(worker: string): readonly MemoryLease[] {
    const holder = this.#holders.get(worker)
    this.#holders.delete(worker)
    return holder ? [...holder.leases] : []
  }

  isIdle(worker: string): boolean {
    return (this.#holders.get(worker)?.leases.size ?? 0) === 0
  }

  /** Whether a worker has a task of an account. */
  holdsFor(worker: string, account: string): boolean {
    return this.#holders.get(worker)?.accounts.has(account) === true
  }

  /** True while the worker runs a task that has to be alone. */
  isReserved(worker: string): boolean {
    return (this.#holders.get(worker)?.retries ?? 0) > 0
  }

  /** Workers that hold something and were not heard of since. */
  silentSince(time: number): readonly string[] {
    return [...this.#holders].filter(([, holder]) => holder.seenAt <= time).map(([worker]) => worker)
  }
}

function accountOf({ record }: MemoryLease): string {
  return record.key.account
}
