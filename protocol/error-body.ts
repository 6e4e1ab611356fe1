import type { ErrorCode } from './error-codes.ts'

/** One element of an `errors` array, as clients read it. */
export interface ErrorBody {
  readonly code: ErrorCode
  readonly message: string
  readonly parameter?: string
  readonly type?: string
  readonly documentation?: string
  readonly taskType?: string
  /** As the client sent it, or absent; never empty. */
  readonly taskUUID?: string
  readonly min?: number
  readonly max?: number
  readonly default?: unknown
  readonly allowedValues?: readonly unknown[]
}
