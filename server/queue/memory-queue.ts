import type { ErrorBody } from '../../protocol/error-body.ts'
import type { Lease, SubmitOutcome, TaskEvent, TaskQueue } from './contract.ts'
import { Dispenser } from './dispenser.ts'
import { KeyMemory } from './key-memory.ts'
import { Line } from './line.ts'
import { LeaseEndedError, MemoryLease } from './memory-lease.ts'
import type { MemoryQueueOptions } from './memory-queue-options.ts'
import { processingFailed } from './processing-failed.ts'
import { QueueClosedError } from './queue-closed-error.ts'
import { TaskEntry, taskId } from './task-entry.ts'
import { TaskStatus } from './task-record.ts'
import type { CommittedResult, TaskKey, TaskRecord, TaskSnapshot } from './task-record.ts'

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
  readonly #dispenser: Dispenser
  /** Replaced when it changes, so that a walk over it stays one. */
  #listeners: readonly ((event: TaskEvent) => void)[] = []
  /** Nothing new is accepted. */
  #isClosed = false

  constructor(options: MemoryQueueOptions) {
    this.#options = options
    this.#keys = new KeyMemory(options.maxKeys)
    this.#dispenser = new Dispenser(options.now)
  }

  /** Tasks that no worker has, for admission and metrics. */
  get waiting(): number {
    return this.#dispenser.waiting
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
    this.#dispenser.add(entry)
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
    return this.#dispenser.claim({ worker, room, isForNewcomers: false }, signal)
  }

  async claimForNewcomers(worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]> {
    return this.#dispenser.claim({ worker, room, isForNewcomers: true }, signal)
  }

  async renew(worker: string): Promise<void> {
    this.#dispenser.see(worker)
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
    const entry = this.#dispenser.release(MemoryLease.of(lease))
    if (entry && !entry.isFinal) this.#end(entry, TaskStatus.failed, error)
    else this.#dispenser.giveOut()
  }

  async settle(lease: Lease): Promise<void> {
    const held = MemoryLease.of(lease)
    const { entry } = held
    if (entry.hold === held && !entry.isFinal && !entry.isComplete) throw new Error('A task was settled before all its results were committed')
    this.#dispenser.release(held)
    if (!entry.isFinal && entry.isComplete) this.#end(entry, TaskStatus.completed)
    else this.#dispenser.giveOut()
  }

  async abandon(worker: string): Promise<void> {
    this.#dispenser.dismiss(worker, entry => this.#survives(entry))
  }

  async giveBack(lease: Lease): Promise<void> {
    const entry = this.#dispenser.release(MemoryLease.of(lease))
    if (entry && !entry.isFinal) {
      entry.to(TaskStatus.waiting)
      this.#dispenser.addAgain(entry)
    }
    this.#dispenser.giveOut()
  }

  /** Takes silent workers for dead and forgets what is past its retention time. */
  async sweep(): Promise<void> {
    const now = this.#options.now()
    for (const worker of this.#dispenser.silentSince(now - this.#options.leaseMs)) await this.abandon(worker)
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
    this.#dispenser.stop()
    this.#listeners = []
  }

  #isFullFor(account: string): boolean {
    const { maxWaiting, maxWaitingPerAccount } = this.#options
    return this.waiting >= maxWaiting || this.#dispenser.waitingOf(account) >= maxWaitingPerAccount
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

  /** Whether a task whose worker died goes out again; if not, it has ended. */
  #survives(entry: TaskEntry): boolean {
    if (entry.isFinal) return false
    entry.deaths++
    if (entry.isComplete) this.#end(entry, TaskStatus.completed)
    else if (entry.deaths >= maxDeaths) this.#end(entry, TaskStatus.failed, processingFailed(entry.record))
    else entry.to(TaskStatus.waiting)
    return !entry.isFinal
  }

  #end(entry: TaskEntry, status: TaskStatus, error?: ErrorBody): void {
    if (entry.status === TaskStatus.waiting) this.#dispenser.remove(entry)
    entry.to(status, error)
    entry.endedAt = this.#options.now()
    this.#finished.add(entry)
    this.#forgetFinished()
    entry.hold?.abort(new LeaseEndedError(`The task is ${status}`))
    this.#emit({ type: 'ended', snapshot: entry.snapshot() })
    this.#dispenser.giveOut()
  }

  #emit(event: TaskEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
