import type { ErrorBody } from './error-body.ts'
import type { RequestsByType } from './generated/requests.ts'

/** Every task type that this server has. */
export type TaskType = keyof RequestsByType

/** A validated task with its defaults filled in: `type` tells what it is, `taskType` how the client spelled it. */
export interface TaskOf<Type extends TaskType> {
  readonly type: Type
  readonly taskType: string
  readonly request: RequestsByType[Type]
}

/** A task of any type. */
export type Task = { [Type in TaskType]: TaskOf<Type> }[TaskType]

/** One element of a frame: a task, or why it is none; the error carries the element's taskUUID where it had one. */
export type ParsedElement =
  | { readonly type: 'task'; readonly task: Task }
  | { readonly type: 'error'; readonly error: ErrorBody }
