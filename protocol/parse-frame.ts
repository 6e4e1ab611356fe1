import secureJson from 'secure-json-parse'
import { createError } from './create-error.ts'
import { describeValue } from './describe-value.ts'
import type { ErrorBody } from './error-body.ts'
import { echoOf, parseTask } from './parse-task.ts'
import { scanStructure } from './scan-structure.ts'
import type { ParsedElement } from './task.ts'

/** What a frame may hold. */
export interface ParseFrameOptions {
  /** Tasks that run; those beyond are refused one by one. */
  readonly maxTasksPerFrame: number
  /** Refuse parameters that a task type does not know; by default they are ignored. */
  readonly strictParameters?: boolean
}

const maxDepth = 32
/** Far above what tasks need, and parsed within a few milliseconds. */
const maxValues = 100_000
/** An array this many times longer than allowed is not answered element by element. */
const refusedFactor = 10

/**
 * Reads the text of one WebSocket message or request body: a JSON array of tasks.
 *
 * Never throws. The text is measured before it is parsed, so a hostile one costs a scan. A bad element is refused
 * alone, with its taskUUID as it was sent; the others stand. A text that is no frame at all gives one error without taskUUID.
 */
export function parseFrame(text: string, { maxTasksPerFrame: maxTasks, strictParameters = false }: ParseFrameOptions): readonly ParsedElement[] {
  const fault = scanStructure(text, { maxDepth, maxValues })
  if (fault === 'depth') return refuse(createError('invalidRequest', { value: `values nested deeper than ${maxDepth}` }))
  if (fault === 'values') return refuse(createError('invalidRequest', { value: `more than ${maxValues} values` }))
  const parsed = parseJson(text)
  if (parsed === undefined) return refuse(createError('invalidJSON', { reason: reasonOf(text) }))
  const { value, isSuspect } = parsed
  if (!Array.isArray(value)) return refuse(createError('invalidRequest', { value: describeValue(value) }))
  if (value.length === 0) return refuse(createError('invalidRequest', { value: 'an empty array' }))
  if (value.length > maxTasks * refusedFactor) {
    return refuse(createError('maxTasksExceeded', { expected: `at most ${maxTasks}`, max: maxTasks }))
  }
  return value.map((element: unknown, index) => {
    if (index >= maxTasks) return refuseElement(element, createError('maxTasksExceeded', { expected: `at most ${maxTasks}`, max: maxTasks }))
    if (isSuspect && !isHarmless(element)) {
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
  const { taskType, taskUUID } = own as { readonly taskType?: unknown; readonly taskUUID?: unknown }
  const echo = echoOf(taskUUID)
  return { type: 'error', error: { ...error, ...(typeof taskType === 'string' && { taskType }), ...(echo !== undefined && { taskUUID: echo }) } }
}

function parseJson(text: string): { readonly value: unknown; readonly isSuspect: boolean } | undefined {
  // The parser would drop a byte order mark, which JSON does not allow.
  if (text.charCodeAt(0) === 0xfeff) return undefined
  try {
    return { value: secureJson.parse(text), isSuspect: false }
  } catch {
    // Either no JSON, or a name that reaches a prototype; then each element is looked at alone.
  }
  try {
    return { value: JSON.parse(text) as unknown, isSuspect: true }
  } catch {
    return undefined
  }
}

function isHarmless(element: unknown): boolean {
  if (typeof element !== 'object' || element === null) return true
  try {
    secureJson.scan(element)
    return true
  } catch {
    return false
  }
}

// The parser's own words quote the text, which may hold a key.
function reasonOf(text: string): string {
  return text.trim() === '' ? 'it is empty' : 'it could not be parsed'
}
