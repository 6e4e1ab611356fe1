import type { ErrorBody } from './error-body.ts'
import type { ErrorCode } from './error-codes.ts'
import { errorRegistry } from './generated/errors.ts'

/** Everything of an error but its code: the fields of the body, and words for its message. */
export interface ErrorDetails extends Omit<ErrorBody, 'code' | 'message'> {
  /** Replaces the registry's message. */
  readonly message?: string
  /** What came; already shortened for people. */
  readonly value?: string
  readonly expected?: string
  /** Why; no full stop at its end. */
  readonly reason?: string
}

/** Makes an error body: the registry's message with the details filled in. */
export function createError(code: ErrorCode, details: ErrorDetails = {}): ErrorBody {
  const { message, value, expected, reason, ...fields } = details
  const words: Readonly<Record<string, string | undefined>> = { value, expected, reason, parameter: fields.parameter }
  const filled = message ?? errorRegistry[code].message.replace(/\{(\w+)\}/g, (_mark, name: string) => words[name] ?? 'something else')
  return { code, message: filled, ...fields }
}
