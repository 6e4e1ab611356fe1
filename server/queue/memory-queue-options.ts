/** Caps and times of a memory queue. */
export interface MemoryQueueOptions {
  /** Most tasks that may wait, and most of one account. */
  readonly maxWaiting: number
  readonly maxWaitingPerAccount: number
  /** How long a finished task can be read, where no more than `maxFinished` end meanwhile. */
  readonly finishedRetentionMs: number
  /** How long a taskUUID cannot be used again, counted from the task's end. */
  readonly keyRetentionMs: number
  /** Most finished tasks that can be read; the one that ended longest ago makes room, for what is over is no reason to refuse work. */
  readonly maxFinished: number
  /** Most keys of tasks that are no longer readable; the oldest is forgotten first. */
  readonly maxKeys: number
  /** A worker silent for this long is taken for dead. */
  readonly leaseMs: number
  /** Monotonic clock, ms. */
  readonly now: () => number
}
