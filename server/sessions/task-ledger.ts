import type { TaskEvent } from '../queue/contract.ts'
import type { TaskRecord } from '../queue/task-record.ts'
import { taskOf } from './outbox-item.ts'
import type { OutboxItem } from './outbox-item.ts'

interface LedgerEntry {
  readonly record: TaskRecord
  /** Items reserved and not yet spent. */
  items: number
  isAccepted: boolean
  /** What happened before the queue's answer arrived here. */
  heldBack: TaskEvent[] | undefined
}

const nothing: readonly TaskEvent[] = []

/** The tasks of one session that have not ended, with the outbox room each has reserved. */
export class TaskLedger {
  readonly #entries = new Map<string, LedgerEntry>()
  #reserved = 0

  get size(): number {
    return this.#entries.size
  }

  /** Items reserved and not yet spent, of all tasks. */
  get reserved(): number {
    return this.#reserved
  }

  get records(): readonly TaskRecord[] {
    return [...this.#entries.values()].map(({ record }) => record)
  }

  has(taskUUID: string): boolean {
    return this.#entries.has(taskUUID)
  }

  /** True when one of the items belongs to a task that has not ended. */
  includesAny(items: readonly OutboxItem[]): boolean {
    return items.some(item => this.#entries.has(taskOf(item)?.toLowerCase() ?? ''))
  }

  reserve(record: TaskRecord, items: number): void {
    this.#entries.set(record.key.taskUUID, { record, items, isAccepted: false, heldBack: undefined })
    this.#reserved += items
  }

  /** Returns what happened in the meantime, in order. */
  accept(record: TaskRecord): readonly TaskEvent[] {
    const entry = this.#entries.get(record.key.taskUUID)
    if (!entry) return nothing
    entry.isAccepted = true
    const { heldBack = nothing } = entry
    entry.heldBack = undefined
    return heldBack
  }

  /** Keeps an event of a task whose acceptance is not known here yet: its acknowledgement has to go first. */
  holdsBack(event: TaskEvent): boolean {
    const record = event.type === 'result' ? event.record : event.snapshot.record
    const entry = this.#entries.get(record.key.taskUUID)
    if (!entry || entry.isAccepted) return false
    ;(entry.heldBack ??= []).push(event)
    return true
  }

  /** Spends one reserved item; false when the task has none left. */
  spend(record: TaskRecord): boolean {
    const entry = this.#entries.get(record.key.taskUUID)
    if (!entry || entry.items === 0) return false
    entry.items--
    this.#reserved--
    return true
  }

  /** Forgets a task; returns the items it had not spent. */
  end(record: TaskRecord): number {
    const entry = this.#entries.get(record.key.taskUUID)
    if (!entry) return 0
    this.#entries.delete(record.key.taskUUID)
    this.#reserved -= entry.items
    return entry.items
  }

  /** Forgets all tasks; returns the items they had not spent. */
  clear(): number {
    const reserved = this.#reserved
    this.#entries.clear()
    this.#reserved = 0
    return reserved
  }
}
