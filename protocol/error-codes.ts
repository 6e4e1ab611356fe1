import { type ErrorCode, errorRegistry } from './generated/errors.ts'

export type { ErrorCode } from './generated/errors.ts'

/** Every code, for checks of documents and tests. */
export const errorCodes = Object.keys(errorRegistry) as readonly ErrorCode[]

/** The HTTP status of an answer whose first error has this code. */
export function httpStatusOf(code: ErrorCode): number {
  return errorRegistry[code].status
}

/** True when the same request can succeed later. */
export function isRetryable(code: ErrorCode): boolean {
  return errorRegistry[code].isRetryable
}

/** True for a code of the registry. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorRegistry, code)
}
