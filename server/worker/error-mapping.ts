import { EngineError, EngineErrorCode, ModelError } from '../../engine/index.ts'
import type { ErrorBody } from '../../protocol/error-body.ts'
import type { TaskRecord } from '../queue/task-record.ts'
import { StorageError, StorageFault } from '../storage/storage-error.ts'

/** What the engine calls a value, and what clients call it. */
const wireNames: Readonly<Record<string, string>> = {
  prompt: 'positivePrompt',
  guidanceScale: 'CFGScale',
  totalSteps: 'steps',
  noiseScheduler: 'scheduler',
}

/** The error a client gets for a task that failed. Nothing of an unexpected error's text goes out: it may name files. */
export function toErrorBody(error: unknown, { taskType, taskUUID }: Pick<TaskRecord, 'taskType' | 'taskUUID'>): ErrorBody {
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
  const parameter = error.parameter && { parameter: wireNames[error.parameter] ?? error.parameter }
  switch (error.code) {
    case EngineErrorCode.invalidParameter:
      return { code: 'invalidParameter', message: sentence(error.message), ...parameter }
    case EngineErrorCode.outOfMemory:
    case EngineErrorCode.inferenceError:
      return { code: 'inferenceError', message: sentence(error.message), ...parameter }
    case EngineErrorCode.stopped:
      return { code: 'serviceUnavailable', message: 'The server is stopping.' }
    default: {
      const never: never = error.code
      throw new Error(`Unknown engine error ${String(never)}`)
    }
  }
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}
