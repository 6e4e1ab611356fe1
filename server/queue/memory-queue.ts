import type { ErrorBody } from '../../protocol/error-body.ts'
import { ClaimDesk } from './claim-desk.ts'
import type { PendingClaim } from './claim-desk.ts'
import type { Lease, SubmitOutcome, TaskEvent, TaskQueue } from './contract.ts'
import { FairBacklog } from './fair-backlog.ts'
import { KeyMemory } from './key-memory.ts'
import { Line } from './line.ts'
import { LeaseEndedError, MemoryLease } from './memory-lease.ts'
import type { MemoryQueueOptions } from './memory-queue-options.ts'
import { processingFailed } from './processing-failed.ts'
import { QueueClosedError } from './queue-closed-error.ts'
import { RetryLine } from './retry-line.ts'
import { TaskEntry, taskId } from './task-entry.ts'
import { TaskStatus } from './task-record.ts'
import type { CommittedResult, TaskKey, TaskRecord, TaskSnapshot } from './task-record.ts'
import { WorkerDesk } from './worker-desk.ts'

/** A task is given out at most this many times to workers that die of it. */
const maxDeaths = 2

/**
 * The queue of a single node: lives in the gateway's process, and a crash of that process loses it.
 *
 * It starts no timer: its owner calls `sweep` every few seconds.
 */
export class MemoryQueue implements TaskQueue {
  readonly #options: MemoryQueueOptions
  readonly #tasks = new Map<string, TaskEntry>()
  /** Ended tasks in the order of their ends. */
  readonly #finished = new Line<TaskEntry>()
  readonly #keys: KeyMemory
  readonly #backlog = new FairBacklog()
  readonly #retries = new RetryLine()
  readonly #desk = new ClaimDesk()
  readonly #workers = new WorkerDesk()
  /** Replaced when it changes, so that a walk over it stays one. */
  #listeners: readonly ((event: TaskEvent) => void)[] = []
  /** Nothing new is accepted. */
  #isClosed = false
  /** Nothing is given out any more. */
  #isStopped = false

  constructor(options: MemoryQueueOptions) {
    this.#options = options
    this.#keys = new KeyMemory(options.maxKeys)
  }

  /** Tasks that no worker has, for admission and metrics. */
  get waiting(): number {
    return this.#backlog.size + this.#retries.size
  }

  /** Tasks that have not ended. */
  get unfinished(): number {
    return this.#tasks.size - this.#finished.size
  }

  async submit(record: TaskRecord): Promise<SubmitOutcome> {
    const id = taskId(record.key)
    const existing = this.#tasks.get(id)?.snapshot() ?? this.#keys.recall(id, record)
    if (existing) return { type: 'conflict', existing }
    if (this.#isClosed) throw new QueueClosedError('The queue takes no new tasks')
    if (this.#isFullFor(record.key.account)) return { type: 'full' }
    const entry = new TaskEntry(record)
    this.#tasks.set(id, entry)
    this.#backlog.add(entry)
    this.#giveOut()
    return { type: 'accepted' }
  }

  async cancel(key: TaskKey): Promise<void> {
    const entry = this.#tasks.get(taskId(key))
    if (entry && !entry.isFinal) this.#end(entry, TaskStatus.cancelled)
  }

  async cancelIfWaiting(key: TaskKey): Promise<boolean> {
    const entry = this.#tasks.get(taskId(key))
    if (entry?.status !== TaskStatus.waiting) return false
    this.#end(entry, TaskStatus.cancelled)
    return true
  }

  async read(key: TaskKey): Promise<TaskSnapshot | undefined> {
    return this.#tasks.get(taskId(key))?.snapshot()
  }

  subscribe(listener: (event: TaskEvent) => void): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => { this.#listeners = this.#listeners.filter(other => other !== listener) }
  }

  async claim(worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]> {
    signal.throwIfAborted()
    if (this.#isStopped) throw new LeaseEndedError('The queue has stopped')
    this.#workers.see(worker, this.#options.now())
    // Whoever waits already could not be given what waits now, so nobody is overtaken.
    const entries = this.waiting > 0 ? this.#entriesFor({ worker, room }) : []
    if (entries.length > 0) return entries.map(entry => this.#lease(worker, entry))
    return this.#desk.wait(worker, room, signal, () => {
      this.#retries.unreserve(worker)
      this.#giveOut()
    })
  }

  async renew(worker: string): Promise<void> {
    this.#workers.see(worker, this.#options.now())
  }

  async commit(lease: Lease, result: CommittedResult): Promise<'committed' | 'superseded'> {
    const { entry } = MemoryLease.of(lease)
    if (entry.isFinal || entry.has(result.index)) return 'superseded'
    const planned = entry.record.results.find(({ index }) => index === result.index)
    if (planned?.imageUUID !== result.imageUUID) throw new Error('A commit names a result that its task does not have')
    entry.add(result)
    this.#emit({ type: 'result', record: entry.record, result })
    return 'committed'
  }

  async fail(lease: Lease, error: ErrorBody): Promise<void> {
    const entry = this.#release(MemoryLease.of(lease))
    if (entry && !entry.isFinal) this.#end(entry, TaskStatus.failed, error)
    else this.#giveOut()
  }

  async settle(lease: Lease): Promise<void> {
    const held = MemoryLease.of(lease)
    const { entry } = held
    if (entry.hold === held && !entry.isFinal && !entry.isComplete) throw new Error('A task was settled before all its results were committed')
    this.#release(held)
    if (!entry.isFinal && entry.isComplete) this.#end(entry, TaskStatus.completed)
    else this.#giveOut()
  }

  async abandon(worker: string): Promise<void> {
    this.#retries.unreserve(worker)
    const reason = new LeaseEndedError('The worker was taken for dead')
    this.#desk.cancelAll(reason, worker)
    for (const held of this.#workers.dismiss(worker)) {
      held.abort(reason)
      held.entry.hold = undefined
      if (!held.entry.isFinal) this.#survive(held.entry)
    }
    this.#giveOut()
  }

  async giveBack(lease: Lease): Promise<void> {
    const entry = this.#release(MemoryLease.of(lease))
    if (entry && !entry.isFinal) {
      entry.to(TaskStatus.waiting)
      if (entry.isRetry) this.#retries.addFirst(entry)
      else this.#backlog.giveBack(entry)
    }
    this.#giveOut()
  }

  /** Takes silent workers for dead and forgets what is past its retention time. */
  async sweep(): Promise<void> {
    const now = this.#options.now()
    for (const worker of this.#workers.silentSince(now - this.#options.leaseMs)) {
      const isWaitingForWork = this.#workers.isIdle(worker) && this.#desk.has(worker)
      if (!isWaitingForWork) await this.abandon(worker)
    }
    this.#forgetFinished()
    this.#keys.sweep(now)
  }

  /** Accepts nothing new from now on: `submit` rejects with a QueueClosedError. What was accepted goes on. */
  close(): void {
    this.#isClosed = true
  }

  /** Ends all that has not ended, because this queue will not outlive its process; each task gets this error. */
  failUnfinished(error: Pick<ErrorBody, 'code' | 'message'>): void {
    for (const entry of this.#tasks.values()) {
      if (entry.isFinal) continue
      const { taskType, taskUUID } = entry.record
      this.#end(entry, TaskStatus.failed, { ...error, taskType, taskUUID })
    }
  }

  async stop(): Promise<void> {
    this.close()
    this.#isStopped = true
    this.#desk.cancelAll(new LeaseEndedError('The queue has stopped'))
    this.#listeners = []
  }

  #isFullFor(account: string): boolean {
    const { maxWaiting, maxWaitingPerAccount } = this.#options
    return this.waiting >= maxWaiting || this.#backlog.sizeOf(account) >= maxWaitingPerAccount
  }

  /** Makes finished tasks unreadable, the oldest first: those past their time, and those that are too many. Their keys stay taken. */
  #forgetFinished(): void {
    const { now, finishedRetentionMs, maxFinished, keyRetentionMs } = this.#options
    const time = now()
    for (let entry = this.#finished.first; entry; entry = this.#finished.first) {
      const { id, endedAt = time } = entry
      if (this.#finished.size <= maxFinished && endedAt + finishedRetentionMs > time) break
      this.#finished.dropFirst()
      this.#tasks.delete(id)
      this.#keys.remember(id, entry.snapshot(), endedAt + keyRetentionMs)
    }
  }

  /** Grants waiting claims, longest waiting first, for as long as there is something to grant. */
  #giveOut(): void {
    if (this.#isStopped || this.waiting === 0) return
    for (const claim of this.#desk.list()) {
      const entries = this.#entriesFor(claim)
      if (entries.length > 0) claim.grant(entries.map(entry => this.#lease(claim.worker, entry)))
    }
  }

  /** A task that killed a worker runs alone: its worker holds nothing else before it is done. */
  #entriesFor({ worker, room }: Pick<PendingClaim, 'worker' | 'room'>): readonly TaskEntry[] {
    if (this.#workers.isReserved(worker)) return []
    if (this.#workers.isIdle(worker)) {
      const retry = this.#retries.take()
      if (retry) return [retry]
    } else if (this.#retries.reserve(worker)) {
      return []
    }
    const entries: TaskEntry[] = []
    let left = room
    for (let next = this.#backlog.peek(); next; next = this.#backlog.peek()) {
      if (entries.length > 0 && next.record.results.length > left) break
      this.#backlog.take()
      entries.push(next)
      left -= next.record.results.length
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

  /** Ends a worker's hold on a task; undefined when it was lost before. */
  #release(lease: MemoryLease): TaskEntry | undefined {
    const { entry } = lease
    if (entry.hold !== lease) return undefined
    entry.hold = undefined
    this.#workers.release(lease)
    return entry
  }

  /** What becomes of a task whose worker died. */
  #survive(entry: TaskEntry): void {
    entry.deaths++
    if (entry.isComplete) return this.#end(entry, TaskStatus.completed)
    if (entry.deaths >= maxDeaths) return this.#end(entry, TaskStatus.failed, processingFailed(entry.record))
    entry.to(TaskStatus.waiting)
    this.#retries.add(entry)
  }

  #end(entry: TaskEntry, status: TaskStatus, error?: ErrorBody): void {
    if (entry.status === TaskStatus.waiting) {
      this.#backlog.remove(entry)
      this.#retries.remove(entry)
    }
    entry.to(status, error)
    entry.endedAt = this.#options.now()
    this.#finished.add(entry)
    this.#forgetFinished()
    entry.hold?.abort(new LeaseEndedError(`The task is ${status}`))
    this.#emit({ type: 'ended', snapshot: entry.snapshot() })
    this.#giveOut()
  }

  #emit(event: TaskEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
