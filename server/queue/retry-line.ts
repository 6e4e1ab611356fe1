import type { TaskEntry } from './task-entry.ts'

/**
 * Tasks whose worker died, each to be run once more and alone.
 * A busy worker that asks for work while one waits is reserved for it and gets nothing else until it is idle;
 * without that a worker that is never idle would never run it.
 */
export class RetryLine {
  #entries: TaskEntry[] = []
  readonly #reserved = new Map<string, TaskEntry>()

  get size(): number {
    return this.#entries.length
  }

  add(entry: TaskEntry): void {
    this.#entries.push(entry)
  }

  addFirst(entry: TaskEntry): void {
    this.#entries.unshift(entry)
  }

  remove(entry: TaskEntry): void {
    if (this.#entries.length === 0) return
    this.#entries = this.#entries.filter(other => other !== entry)
    for (const [worker, reserved] of this.#reserved) {
      if (reserved === entry) this.#reserved.delete(worker)
    }
  }

  /** Reserves a busy worker for a task that no other worker is reserved for; says whether it is reserved now. */
  reserve(worker: string): boolean {
    if (this.#reserved.has(worker)) return true
    const taken = new Set(this.#reserved.values())
    const free = this.#entries.find(entry => !taken.has(entry))
    if (!free) return false
    this.#reserved.set(worker, free)
    return true
  }

  /** Takes the first task, for an idle worker; a busy worker that was reserved for it is free again. */
  take(): TaskEntry | undefined {
    const [first] = this.#entries
    if (first) this.remove(first)
    return first
  }

  unreserve(worker: string): void {
    this.#reserved.delete(worker)
  }
}
