import type { Acknowledgement, ErrorBody, ImageResult } from '../../protocol/index.ts'
import type { TaskSnapshot } from '../queue/task-record.ts'
import { TaskStatus } from '../queue/task-record.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { readyAnswer } from './pending-answer.ts'
import type { PendingAnswer } from './pending-answer.ts'
import { buildResultItem, inlineBytesOf, unreadable } from './result-item.ts'
import { cancelled } from './task-errors.ts'

/** Everything a request without a session gets for one task. */
export interface Collected {
  readonly items: readonly (ImageResult | Acknowledgement)[]
  readonly error?: ErrorBody
}

/** What a task that has ended gives to the request that waited for it. */
export function answerCollected(snapshot: TaskSnapshot, images: ImageStore): PendingAnswer<Collected> {
  const { record, results, status } = snapshot
  if (status === TaskStatus.cancelled) return readyAnswer({ items: [], error: cancelled(record) })
  return { inlineBytes: inlineBytesOf(record, results), build: () => build(snapshot, images) }
}

async function build({ record, results, error }: TaskSnapshot, images: ImageStore): Promise<Collected> {
  try {
    const items = await Promise.all(results.map(result => buildResultItem(record, result, images)))
    return error ? { items, error } : { items }
  } catch (cause) {
    return { items: [], error: unreadable(record, cause) }
  }
}
