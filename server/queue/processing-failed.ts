import type { ErrorBody } from '../../protocol/error-body.ts'
import type { TaskRecord } from './task-record.ts'

/** The error of a task that was given out twice to workers that died of it. */
export function processingFailed(record: TaskRecord): ErrorBody {
  return {
    code: 'processingFailed',
    message: 'The process that computed this task stopped twice while it ran, so it is not tried again.',
    taskType: record.taskType,
    taskUUID: record.taskUUID,
  }
}
