import { ClaimDesk } from './claim-desk.ts'
import type { Claim } from './claim-desk.ts'
import type { Lease } from './contract.ts'
import { FairBacklog } from './fair-backlog.ts'
import { LeaseEndedError, MemoryLease } from './memory-lease.ts'
import { RetryLine } from './retry-line.ts'
import type { TaskEntry } from './task-entry.ts'
import { TaskStatus } from './task-record.ts'
import { WorkerDesk } from './worker-desk.ts'

/** The memory queue's waiting tasks, the workers that wait for some, and which worker has which. */
export class Dispenser {
  readonly #now: () => number
  readonly #backlog = new FairBacklog()
  readonly #retries = new RetryLine()
  readonly #desk = new ClaimDesk()
  readonly #workers = new WorkerDesk()
  #isStopped = false

  /** @param now monotonic ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Tasks that no worker has. */
  get waiting(): number {
    return this.#backlog.size + this.#retries.size
  }

  /** Those of an account that were never given to a worker that died. */
  waitingOf(account: string): number {
    return this.#backlog.sizeOf(account)
  }

  add(entry: TaskEntry): void {
    this.#backlog.add(entry)
    this.giveOut()
  }

  /** Puts a task that a worker gives back in front. */
  addAgain(entry: TaskEntry): void {
    if (entry.isRetry) this.#retries.addFirst(entry)
    else this.#backlog.giveBack(entry)
  }

  remove(entry: TaskEntry): void {
    this.#backlog.remove(entry)
    this.#retries.remove(entry)
  }

  /** Gives a worker what it asks for, or waits until there is some; rejects when the signal aborts, the worker dies or this stops. */
  async claim(claim: Claim, signal: AbortSignal): Promise<readonly Lease[]> {
    signal.throwIfAborted()
    if (this.#isStopped) throw new LeaseEndedError('The queue has stopped')
    const { worker } = claim
    this.see(worker)
    // Whoever waits already could not be given what waits now, so nobody is overtaken.
    const entries = this.waiting > 0 ? this.#entriesFor(claim) : []
    if (entries.length > 0) return entries.map(entry => this.#lease(worker, entry))
    return this.#desk.wait(claim, signal, () => {
      this.#retries.unreserve(worker)
      this.giveOut()
    })
  }

  /** Notes a worker's sign of life. */
  see(worker: string): void {
    this.#workers.see(worker, this.#now())
  }

  /** Workers of which nothing was heard since, but for those that wait for work: they have nothing to say. */
  silentSince(time: number): readonly string[] {
    return this.#workers.silentSince(time).filter(worker => !this.#workers.isIdle(worker) || !this.#desk.has(worker))
  }

  /** Ends a worker's hold on a task; undefined when it was lost before. */
  release(lease: MemoryLease): TaskEntry | undefined {
    const { entry } = lease
    if (entry.hold !== lease) return undefined
    entry.hold = undefined
    this.#workers.release(lease)
    return entry
  }

  /** Forgets a dead worker, and takes its tasks from it: those that `survive` go out once more, each alone. */
  dismiss(worker: string, survives: (entry: TaskEntry) => boolean): void {
    this.#retries.unreserve(worker)
    const reason = new LeaseEndedError('The worker was taken for dead')
    this.#desk.cancelAll(reason, worker)
    for (const held of this.#workers.dismiss(worker)) {
      held.abort(reason)
      held.entry.hold = undefined
      if (survives(held.entry)) this.#retries.add(held.entry)
    }
    this.giveOut()
  }

  /** Grants waiting claims, longest waiting first, for as long as there is something to grant. */
  giveOut(): void {
    if (this.#isStopped || this.waiting === 0) return
    for (const claim of this.#desk.list()) {
      const entries = this.#entriesFor(claim)
      if (entries.length > 0) claim.grant(entries.map(entry => this.#lease(claim.worker, entry)))
    }
  }

  /** Gives nothing out any more. */
  stop(): void {
    this.#isStopped = true
    this.#desk.cancelAll(new LeaseEndedError('The queue has stopped'))
  }

  /** A task that killed a worker runs alone: its worker holds nothing else before it is done. */
  #entriesFor(claim: Claim): readonly TaskEntry[] {
    const { worker, isForNewcomers } = claim
    if (this.#workers.isReserved(worker)) return []
    if (this.#workers.isIdle(worker)) {
      const retry = isForNewcomers ? undefined : this.#retries.take()
      if (retry) return [retry]
    } else if (this.#retries.reserve(worker)) {
      return []
    }
    return this.#fromBacklog(claim)
  }

  #fromBacklog({ worker, room, isForNewcomers }: Claim): readonly TaskEntry[] {
    const entries: TaskEntry[] = []
    const taken = new Set<string>()
    const isWanted = (account: string) => !isForNewcomers || !(taken.has(account) || this.#workers.holdsFor(worker, account))
    let left = room
    for (let next = this.#backlog.peek(isWanted); next; next = this.#backlog.peek(isWanted)) {
      const { key, results } = next.record
      if (entries.length > 0 && results.length > left) break
      this.#backlog.take(next)
      entries.push(next)
      taken.add(key.account)
      left -= results.length
      if (left <= 0) break
    }
    return entries
  }

  #lease(worker: string, entry: TaskEntry): Lease {
    const lease = new MemoryLease(worker, entry)
    entry.to(TaskStatus.running)
    entry.hold = lease
    this.#workers.hold(lease)
    return lease
  }
}
