import { createError } from '../../protocol/index.ts'
import type { ErrorBody } from '../../protocol/index.ts'
import type { TaskRecord } from '../queue/task-record.ts'

/** The names of a task. */
export type Named = Pick<TaskRecord, 'taskType' | 'taskUUID'>

/** A limit of the session, the account or the queue is reached; nothing was queued. */
export function rateLimited({ taskType, taskUUID }: Named, reason: string): ErrorBody {
  return createError('rateLimitExceeded', { taskType, taskUUID, reason })
}

/** The queue does not answer. */
export function unavailable({ taskType, taskUUID }: Named): ErrorBody {
  return createError('serviceUnavailable', { taskType, taskUUID, reason: 'the task queue cannot be reached' })
}

/** Something was thrown that nobody expected; the log says what. */
export function defective({ taskType, taskUUID }: Named): ErrorBody {
  return createError('internalServerError', { taskType, taskUUID })
}

/** The error of a taskUUID that was used before. */
export function conflict({ taskType, taskUUID }: Named): ErrorBody {
  return createError('conflictTaskUUID', { taskType, taskUUID, parameter: 'taskUUID', type: 'string', value: taskUUID })
}

/** The task was ended because nobody waits for it. */
export function cancelled({ taskType, taskUUID }: Named): ErrorBody {
  return createError('taskCancelled', { taskType, taskUUID })
}
