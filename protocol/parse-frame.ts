import { createError } from './create-error.ts'
import { describeValue } from './describe-value.ts'
import type { ErrorBody } from './error-body.ts'
import { parseJson, reachesPrototype } from './parse-json.ts'
import { echoOf, parseTask } from './parse-task.ts'
import type { ParsedElement } from './task.ts'

/** What a frame may hold. */
export interface ParseFrameOptions {
  /** Tasks that run; those beyond are refused one by one. */
  readonly maxTasksPerFrame: number
  /** Refuse parameters that a task type does not know; by default they are ignored. */
  readonly strictParameters?: boolean
}

/** An array this many times longer than allowed is not answered element by element. */
const refusedFactor = 10

/**
 * Reads the text of one WebSocket message or request body: a JSON array of tasks.
 *
 * Never throws. The text is measured before it is parsed, so a hostile one costs a scan. A bad element is refused
 * alone, with its taskUUID as it was sent; the others stand. A text that is no frame at all gives one error without taskUUID.
 */
export function parseFrame(text: string, { maxTasksPerFrame: maxTasks, strictParameters = false }: ParseFrameOptions): readonly ParsedElement[] {
  const parsed = parseJson(text)
  // The parser's own words quote the text, which may hold a key.
  if (parsed.type === 'refused') return refuse(createError(parsed.code, { value: parsed.reason, reason: parsed.reason }))
  const { value, isSuspect } = parsed
  if (!Array.isArray(value)) return refuse(createError('invalidRequest', { value: describeValue(value) }))
  if (value.length === 0) return refuse(createError('invalidRequest', { value: 'an empty array' }))
  if (value.length > maxTasks * refusedFactor) {
    return refuse(createError('maxTasksExceeded', { expected: `at most ${maxTasks}`, max: maxTasks }))
  }
  return value.map((element: unknown, index) => {
    if (index >= maxTasks) return refuseElement(element, createError('maxTasksExceeded', { expected: `at most ${maxTasks}`, max: maxTasks }))
    if (isSuspect && reachesPrototype(element)) {
      return refuseElement(element, createError('invalidParameter', { parameter: '__proto__', reason: 'names that reach an object\'s prototype are not allowed' }))
    }
    return parseTask(element, strictParameters)
  })
}

function refuse(error: ErrorBody): readonly ParsedElement[] {
  return [{ type: 'error', error }]
}

function refuseElement(element: unknown, error: ErrorBody): ParsedElement {
  const own = typeof element === 'object' && element !== null ? element : {}
  const { taskType: givenType, taskUUID: givenUUID } = own as { readonly taskType?: unknown; readonly taskUUID?: unknown }
  const [taskType, taskUUID] = [echoOf(givenType), echoOf(givenUUID)]
  return { type: 'error', error: { ...error, ...(taskType !== undefined && { taskType }), ...(taskUUID !== undefined && { taskUUID }) } }
}
