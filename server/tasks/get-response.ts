import { createError } from '../../protocol/index.ts'
import type { ErrorBody, ImageResult, ProcessingItem } from '../../protocol/index.ts'
import { TaskStatus } from '../queue/task-record.ts'
import type { CommittedResult, TaskRecord, TaskSnapshot } from '../queue/task-record.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { readyAnswer } from './pending-answer.ts'
import type { PendingAnswer } from './pending-answer.ts'
import { buildResultItem, inlineBytesOf, unreadable } from './result-item.ts'
import { cancelled } from './task-errors.ts'

/** The answer to a poll: all that is known of the task, or its error. */
export type PollAnswer =
  | { readonly type: 'data'; readonly items: readonly (ImageResult | ProcessingItem)[] }
  | { readonly type: 'error'; readonly error: ErrorBody }

/**
 * Tells the state of a task as one frame: an item for each of its results, in order, finished or not.
 * Items carry the task's own taskType, as the clients that poll expect it.
 */
export function answerPoll(snapshot: TaskSnapshot | undefined, taskUUID: string, images: ImageStore): PendingAnswer<PollAnswer> {
  if (!snapshot) {
    return failed(createError('taskNotFound', { parameter: 'taskUUID', type: 'string', value: taskUUID, taskType: 'getResponse', taskUUID }))
  }
  const { record, status, results, error } = snapshot
  // A client finds its answer by the taskUUID it asked with; the spelling may differ from the one it submitted with.
  const asked = { ...record, taskUUID }
  if (status === TaskStatus.failed && error) return failed({ ...error, taskUUID })
  if (status === TaskStatus.cancelled) {
    return failed(cancelled(asked))
  }
  if (status === TaskStatus.completed && results.length < record.results.length) {
    return failed(unreadable(asked, new Error('A completed task lacks results')))
  }
  return { inlineBytes: inlineBytesOf(record, results), build: () => build(asked, results, images) }
}

async function build(asked: TaskRecord, results: readonly CommittedResult[], images: ImageStore): Promise<PollAnswer> {
  const byIndex = new Map(results.map(result => [result.index, result]))
  try {
    const items = await Promise.all(asked.results.map(async ({ index }) => {
      const result = byIndex.get(index)
      return result ? buildResultItem(asked, result, images) : processing(asked)
    }))
    return { type: 'data', items }
  } catch (cause) {
    return { type: 'error', error: unreadable(asked, cause) }
  }
}

function failed(error: ErrorBody): PendingAnswer<PollAnswer> {
  return readyAnswer({ type: 'error', error })
}

function processing({ taskType, taskUUID }: Pick<TaskRecord, 'taskType' | 'taskUUID'>): ProcessingItem {
  return { taskType, taskUUID, status: 'processing' }
}
