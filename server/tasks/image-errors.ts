import { createError } from '../../protocol/index.ts'
import type { ErrorBody, ErrorCode } from '../../protocol/index.ts'
import { InputImageFault } from '../storage/input-image-error.ts'
import type { InputImageError } from '../storage/input-image-error.ts'
import type { Named } from './task-errors.ts'
import type { WireParameter } from './wire-parameters.ts'

/** The error of a task whose picture cannot be used; it says which parameter named it. */
export function imageError({ fault, message }: InputImageError, { parameter, code }: WireParameter, { taskType, taskUUID }: Named): ErrorBody {
  return createError(codeOf(fault, code), { parameter, type: 'string', taskType, taskUUID, message: `${parameter}: ${message}.` })
}

function codeOf(fault: InputImageFault, invalid: ErrorCode): ErrorCode {
  switch (fault) {
    case InputImageFault.invalid:
      return invalid
    case InputImageFault.notFound:
      return 'imageNotFound'
    case InputImageFault.unreachable:
      return 'downloadFailed'
    case InputImageFault.full:
      return 'rateLimitExceeded'
    default: {
      const never: never = fault
      throw new Error(`Unknown fault ${String(never)}`)
    }
  }
}
