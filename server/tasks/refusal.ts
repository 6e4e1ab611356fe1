import type { ErrorCode, ErrorDetails } from '../../protocol/index.ts'

/** Why a task is refused, without the names of the task. */
export interface Refusal extends Omit<ErrorDetails, 'taskType' | 'taskUUID'> {
  readonly code: ErrorCode
}

/** Whether planning gave the reason why not instead of what was planned. */
export function isRefusal<T extends object>(planned: T | Refusal): planned is Refusal {
  return 'code' in planned
}
