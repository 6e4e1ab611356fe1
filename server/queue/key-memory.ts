import type { ErrorBody } from '../../protocol/error-body.ts'
import type { TaskRecord, TaskSnapshot, TaskStatus } from './task-record.ts'

/** What is left of a finished task once its results can no longer be read. */
interface Tombstone {
  readonly status: TaskStatus
  readonly delivery: TaskRecord['delivery']
  readonly error?: ErrorBody
  readonly forgetAt: number
}

/**
 * Remembers the keys of tasks that are no longer readable, so that none is computed a second time.
 * Holds the youngest `maxKeys`; the oldest are forgotten first when there are more.
 */
export class KeyMemory {
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #maxKeys: number

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#tombstones.size
  }

  remember(id: string, snapshot: TaskSnapshot, forgetAt: number): void {
    const { status, error } = snapshot
    this.#tombstones.set(id, { status, delivery: snapshot.record.delivery, ...(error && { error }), forgetAt })
    for (const oldest of this.#tombstones.keys()) {
      if (this.#tombstones.size <= this.#maxKeys) break
      this.#tombstones.delete(oldest)
    }
  }

  /** The state of a remembered task in terms of the record that repeats its key; its results are gone. */
  recall(id: string, repeated: TaskRecord): TaskSnapshot | undefined {
    const tombstone = this.#tombstones.get(id)
    if (!tombstone) return undefined
    const { status, delivery, error } = tombstone
    return { record: { ...repeated, delivery }, status, results: [], ...(error && { error }) }
  }

  /** Forgets what is due; keys were remembered in order, so the first that is not due ends the walk. */
  sweep(now: number): void {
    for (const [id, tombstone] of this.#tombstones) {
      if (tombstone.forgetAt > now) break
      this.#tombstones.delete(id)
    }
  }
}
