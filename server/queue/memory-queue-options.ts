/** Caps and times of a memory queue. */
export interface MemoryQueueOptions {
  /** Most tasks that may wait, and most of one account. */
  readonly maxWaiting: number
  readonly maxWaitingPerAccount: number
  /** How long a finished task can be read. */
  readonly finishedRetentionMs: number
  /** How long it can be read even when there are `maxTasks`. */
  readonly minRetentionMs: number
  /** How long a taskUUID cannot be used again, counted from the task's end. */
  readonly keyRetentionMs: number
  /** Most tasks that are waiting, running or readable; where none of them may go yet, nothing new is accepted. */
  readonly maxTasks: number
  /** Most keys of tasks that are no longer readable. */
  readonly maxKeys: number
  /** A worker silent for this long is taken for dead. */
  readonly leaseMs: number
  /** Monotonic clock, ms. */
  readonly now: () => number
}
