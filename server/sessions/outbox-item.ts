import type { ErrorBody } from '../../protocol/error-body.ts'
import type { CommittedResult, TaskRecord } from '../queue/task-record.ts'

/**
 * Something a session owes its client. It refers to pictures and never holds their bytes: inline ones are read
 * from the store when their frame is written.
 */
export type OutboxItem =
  | { readonly type: 'acknowledgement'; readonly record: TaskRecord }
  /** Pictures that belong in one frame. */
  | { readonly type: 'results'; readonly record: TaskRecord; readonly results: readonly CommittedResult[] }
  | { readonly type: 'error'; readonly error: ErrorBody }

/** An item and what became of it so far. */
export interface OutboxEntry {
  readonly item: OutboxItem
  /** True when it was given to a socket before: its client may have seen it. Set by the outbox. */
  readonly wasWritten: boolean
  /** True when the client refused the frame with the picture inside; it gets the picture's URL instead. Set by the outbox. */
  readonly byUrl: boolean
}

/** Entries that are written as one frame. */
export interface OutboxFrame {
  /** Position in the session's stream; rises with every frame and every replay. */
  readonly seq: number
  readonly entries: readonly OutboxEntry[]
}

/** True when a result's bytes travel inside its frame. */
export function isInline(record: TaskRecord): boolean {
  return record.output.types.some(type => type !== 'URL')
}

/** The task that an item belongs to; items of one task are replayed together. */
export function taskOf(item: OutboxItem): string | undefined {
  return item.type === 'error' ? item.error.taskUUID : item.record.taskUUID
}
