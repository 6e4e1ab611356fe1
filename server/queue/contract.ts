import type { ErrorBody } from '../../protocol/error-body.ts'
import type { CommittedResult, TaskKey, TaskRecord, TaskSnapshot } from './task-record.ts'

/**
 * The queue between gateways and workers. Two implementations keep this contract: *memory* (in the gateway's
 * process) and *redis* (any number of gateways and workers). It is split by who uses it.
 *
 * Guarantees:
 * - `submit` is atomic: identity reserved and task queued, or neither. A taskUUID of an account is accepted once
 *   within the retention time, so nothing is computed for it twice.
 * - What is remembered of finished tasks has a cap, and never a say in whether a new one is accepted: the one that ended longest
 *   ago is forgotten first, and the two guarantees about the retention time are shorter then.
 * - Every accepted task ends in exactly one final status. The first commit of a result wins; later ones are `superseded`.
 * - Events of one task are seen in order: results as they are committed, then one end event.
 * - A task whose worker dies is given out again once, alone; if that worker dies too the task fails with `processingFailed`.
 * - A finished task can be read for at least the retention time.
 */
export interface TaskQueue extends TaskSubmitter, TaskReader, TaskEvents, TaskClaimer {
  /** Drops timers and pending claims; idempotent. */
  stop(): Promise<void>
}

/** What a gateway does with work. */
export interface TaskSubmitter {
  submit(record: TaskRecord): Promise<SubmitOutcome>
  /** Stops a task that is not finished: waiting ones never start, running ones stop between two steps. No event but `ended` follows. */
  cancel(key: TaskKey): Promise<void>
  /** Cancels a task only when no worker has claimed it; says whether it did. */
  cancelIfWaiting(key: TaskKey): Promise<boolean>
}

export type SubmitOutcome =
  | { readonly type: 'accepted' }
  /** The account used this taskUUID before; its present state. */
  | { readonly type: 'conflict'; readonly existing: TaskSnapshot }
  /** The queue or the account's share of it is full; nothing was queued. */
  | { readonly type: 'full' }

/** What `getResponse` needs. */
export interface TaskReader {
  read(key: TaskKey): Promise<TaskSnapshot | undefined>
}

/** What happened to a task, for the session that waits for it. */
export type TaskEvent =
  | { readonly type: 'result'; readonly record: TaskRecord; readonly result: CommittedResult }
  | { readonly type: 'ended'; readonly snapshot: TaskSnapshot }

/** Follows tasks. */
export interface TaskEvents {
  /** Returns the function that ends the subscription. A listener must not throw. */
  subscribe(listener: (event: TaskEvent) => void): () => void
}

/** What a worker does with work. */
export interface TaskClaimer {
  /**
   * Gives out waiting tasks worth at most `room` results (one task at least where any waits), fairly between accounts;
   * waits until there is one. A task that is given out a second time comes alone.
   * Rejects with the signal's reason when aborted.
   */
  claim(worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]>
  /** As `claim`, but gives out only tasks of accounts of which the worker has none: one account's many tasks leave the places for them to others. */
  claimForNewcomers(worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]>
  /** Keeps a worker's leases alive; a worker silent for the lease time is taken for dead. */
  renew(worker: string): Promise<void>
  commit(lease: Lease, result: CommittedResult): Promise<'committed' | 'superseded'>
  /** Ends the task with an error; results committed before stay. */
  fail(lease: Lease, error: ErrorBody): Promise<void>
  /** Ends the task when all its results are committed. */
  settle(lease: Lease): Promise<void>
  /** Gives a dead worker's tasks out again, or fails those that were given out twice. */
  abandon(worker: string): Promise<void>
  /** Gives tasks back that were not started, without counting it against them (drain). */
  giveBack(lease: Lease): Promise<void>
}

/** The right to work on one task. */
export interface Lease {
  readonly worker: string
  readonly record: TaskRecord
  /** Indices whose results are committed already, to be skipped. */
  readonly committed: readonly number[]
  /** True when the task was given out before: it must run alone. */
  readonly isRetry: boolean
  /** Aborted when the task is cancelled or the lease is lost. */
  readonly signal: AbortSignal
}
