import { EngineError, EngineErrorCode, ModelError } from '../../engine/index.ts'
import type { ErrorBody } from '../../protocol/error-body.ts'
import type { TaskRecord } from '../queue/task-record.ts'
import { InputImageError } from '../storage/input-image-error.ts'
import { StorageError, StorageFault } from '../storage/storage-error.ts'
import { imageError } from '../tasks/image-errors.ts'
import { parameterError, sentence } from '../tasks/parameter-error.ts'
import { wireParameterOf } from '../tasks/wire-parameters.ts'

/** The error a client gets for a task that failed. Nothing of an unexpected error's text goes out: it may name files. */
export function toErrorBody(error: unknown, { taskType, taskUUID }: Pick<TaskRecord, 'taskType' | 'taskUUID'>): ErrorBody {
  if (error instanceof InputImageError) {
    const wire = wireParameterOf(error.parameter ?? '')
    if (wire) return imageError(error, wire, { taskType, taskUUID })
  }
  return { ...describe(error), taskType, taskUUID }
}

function describe(error: unknown): ErrorBody {
  if (error instanceof EngineError) return describeEngineError(error)
  if (error instanceof StorageError) {
    const why = error.fault === StorageFault.full ? 'has no space left' : 'cannot be used at the moment'
    return { code: 'processingFailed', message: `The picture was computed but could not be kept: the image store ${why}.` }
  }
  if (error instanceof ModelError) {
    return { code: 'modelUnavailable', message: `The model cannot be used: ${sentence(error.message)}`, parameter: 'model' }
  }
  return { code: 'processingFailed', message: 'The task failed in a way that was not expected; the server\'s log says more.' }
}

function describeEngineError(error: EngineError): ErrorBody {
  switch (error.code) {
    case EngineErrorCode.invalidParameter:
      return parameterError(error) ?? { code: 'inferenceError', message: sentence(error.message) }
    case EngineErrorCode.outOfMemory:
    case EngineErrorCode.inferenceError:
      return { code: 'inferenceError', message: sentence(error.message) }
    case EngineErrorCode.stopped:
      return { code: 'serviceUnavailable', message: 'The server is stopping.' }
    default: {
      const never: never = error.code
      throw new Error(`Unknown engine error ${String(never)}`)
    }
  }
}
