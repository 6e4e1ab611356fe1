import type { ErrorBody } from '../../protocol/error-body.ts'
import type { CommittedResult, TaskKey, TaskRecord, TaskSnapshot } from './task-record.ts'
import { TaskStatus } from './task-record.ts'

/** Which status may follow which; the last three are final. */
const nextStatuses: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  waiting: [TaskStatus.running, TaskStatus.cancelled, TaskStatus.failed, TaskStatus.completed],
  running: [TaskStatus.waiting, TaskStatus.completed, TaskStatus.failed, TaskStatus.cancelled],
  completed: [],
  failed: [],
  cancelled: [],
}

/** What a worker has a task by. */
export interface TaskHold {
  /** Tells the worker that it has the task no longer. */
  abort(reason: Error): void
}

/**
 * The memory queue's state of one task.
 *
 *     waiting ⇄ running → completed | failed | cancelled
 *
 * A waiting task may end without running: cancelled, or completed by the late commit of a worker that was taken for dead.
 */
export class TaskEntry {
  readonly record: TaskRecord
  readonly id: string
  /** Workers that died with this task in their hands. */
  deaths = 0
  /** Monotonic ms; set when the task ends. */
  endedAt: number | undefined
  /** Set by the queue while a worker has the task. */
  hold: TaskHold | undefined
  #status: TaskStatus = TaskStatus.waiting
  #error: ErrorBody | undefined
  /** By index, without gaps. */
  readonly #results: CommittedResult[] = []

  constructor(record: TaskRecord) {
    this.record = record
    this.id = taskId(record.key)
  }

  get status(): TaskStatus {
    return this.#status
  }

  get isFinal(): boolean {
    return nextStatuses[this.#status].length === 0
  }

  get isComplete(): boolean {
    return this.#results.length === this.record.results.length
  }

  /** True when the task was given out before and has to run alone. */
  get isRetry(): boolean {
    return this.deaths > 0
  }

  get committed(): readonly number[] {
    return this.#results.map(({ index }) => index)
  }

  has(index: number): boolean {
    return this.#results.some(result => result.index === index)
  }

  add(result: CommittedResult): void {
    const place = this.#results.findIndex(({ index }) => index > result.index)
    this.#results.splice(place < 0 ? this.#results.length : place, 0, result)
  }

  to(next: TaskStatus, error?: ErrorBody): void {
    if (!nextStatuses[this.#status].includes(next)) throw new Error(`A ${this.#status} task cannot become ${next}`)
    this.#status = next
    this.#error = error
  }

  snapshot(): TaskSnapshot {
    return { record: this.record, status: this.#status, results: [...this.#results], ...(this.#error && { error: this.#error }) }
  }
}

/** One string for a key; the separator cannot occur in a UUID, so no two keys share it. */
export function taskId(key: TaskKey): string {
  return `${key.taskUUID}/${key.account}`
}
