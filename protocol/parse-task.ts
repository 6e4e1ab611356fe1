import { findRequest } from './asks-for-nothing.ts'
import { copyStart } from './copy-start.ts'
import { createError } from './create-error.ts'
import { describeValue } from './describe-value.ts'
import { describeViolation, type Violation } from './describe-violation.ts'
import type { ErrorBody } from './error-body.ts'
import { parameterTables, taskTypeSpellings } from './generated/parameters.ts'
import * as validators from './generated/validators.ts'
import type { ParameterRule, ParameterTable } from './parameter-table.ts'
import type { ParsedElement, Task, TaskType } from './task.ts'

type Element = Readonly<Record<string, unknown>>
type ParameterRules = ParameterTable['parameters']
type Validator = ((value: unknown) => boolean) & { errors?: readonly Violation[] | null }

const typeBySpelling: ReadonlyMap<string, TaskType> = new Map(taskTypeSpellings)
const supportedSpellings = [...typeBySpelling.keys()]
const validatorOf: Readonly<Record<TaskType, Validator>> = validators

/** The longest taskUUID that an error repeats; a longer one is not what any client waits for. */
const maxEchoLength = 1024

/** The longest path of a parameter in an error; names of a client's own may be of any length. */
const maxNameLength = 200

/** Reads one element of a frame. With `strictParameters` a parameter that the task type does not know is refused, not ignored. */
export function parseTask(element: unknown, strictParameters: boolean): ParsedElement {
  if (!isElement(element)) return refused(createError('invalidRequest', { value: `an array with ${describeValue(element)}` }))
  const taskType = element['taskType'] ?? (element['ping'] === true ? 'ping' : undefined)
  const taskUUID = echoOf(element['taskUUID'])
  const identity = { ...(typeof taskType === 'string' && { taskType: copyStart(taskType, maxEchoLength) }), ...(taskUUID !== undefined && { taskUUID }) }
  if (typeof taskType !== 'string') return refused(refuseTaskType(taskType, identity))
  const type = typeBySpelling.get(taskType)
  if (type === undefined) {
    const expected = `one of ${supportedSpellings.join(', ')}`
    return refused(createError('unsupportedTaskType', {
      ...identity, parameter: 'taskType', type: 'string', allowedValues: supportedSpellings, expected, value: describeValue(taskType),
    }))
  }
  const table: ParameterTable = parameterTables[type]
  const error = findForbidden(element, table, strictParameters, identity)
  if (error) return refused(error)
  const values = readValues({ ...element, taskType }, table.parameters)
  const violation = validate(validatorOf[type], values, table)
  if (violation) return refused(describeViolation(violation, table, values, identity))
  // The validator has just proved that the values are those of this type.
  const task = { type, taskType, request: values } as unknown as Task
  return { type: 'task', task }
}

/** A taskUUID or taskType as an error may repeat it: a text that is not empty and not absurdly long. */
export function echoOf(name: unknown): string | undefined {
  return typeof name === 'string' && name !== '' && name.length <= maxEchoLength ? name : undefined
}

function isElement(value: unknown): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(error: ErrorBody): ParsedElement {
  return { type: 'error', error }
}

function refuseTaskType(taskType: unknown, identity: { readonly taskUUID?: string }): ErrorBody {
  const details = { ...identity, parameter: 'taskType', type: 'string', allowedValues: supportedSpellings }
  const expected = `one of ${supportedSpellings.join(', ')}`
  if (taskType === undefined || taskType === null) return createError('missingTaskType', { ...details, expected })
  return createError('invalidTaskType', { ...details, expected, value: describeValue(taskType) })
}

function findForbidden(element: Element, table: ParameterTable, strictParameters: boolean, identity: object): ErrorBody | undefined {
  for (const name of table.unsupported) {
    const inside = findRequest(valueAt(element, name.split('.')))
    if (inside === undefined) continue
    return createError('unsupportedParameter', { ...identity, parameter: inside === '' ? name : copyStart(`${name}.${inside}`, maxNameLength) })
  }
  const unknown = strictParameters ? findUnknown(element, table.parameters, ['taskUUID', ...table.unsupported]) : undefined
  return unknown === undefined ? undefined : createError('unknownParameter', { ...identity, parameter: copyStart(unknown, maxNameLength) })
}

function valueAt(element: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (isElement(value) && Object.hasOwn(value, name) ? value[name] : undefined), element)
}

/** The path of the first name that no rule stands for. */
function findUnknown(element: Element, rules: ParameterRules, known: readonly string[] = []): string | undefined {
  for (const [name, value] of Object.entries(element)) {
    if (value === null || known.includes(name)) continue
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (!rule) return name
    const inner = rule.parameters && findInside(value, name, (object) => findUnknown(object, rule.parameters as ParameterRules))
    if (inner !== undefined) return inner
  }
  return undefined
}

function findInside(value: unknown, path: string, find: (object: Element) => string | undefined): string | undefined {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = findInside(item, `${path}[${index}]`, find)
      if (found !== undefined) return found
    }
  }
  const found = isElement(value) ? find(value) : undefined
  return found === undefined ? undefined : `${path}.${found}`
}

// Only what the schema knows is copied, so nothing else of a client's object travels on. Null is absence.
function readValues(element: Element, rules: ParameterRules): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries(rules)) {
    const value = Object.hasOwn(element, name) ? element[name] : undefined
    if (value === undefined || value === null || (rule.isAbsentWhenEmpty && value === '')) continue
    const read = readValue(value, rule)
    if (read !== undefined) values[name] = read
  }
  return values
}

function readValue(value: unknown, rule: ParameterRule): unknown {
  const { parameters } = rule
  if (parameters) {
    const read = (object: unknown): unknown => (isElement(object) ? readValues(object, parameters) : object)
    if (!Array.isArray(value)) return read(value)
    // An object that asks for nothing (all nulls) is no element of a list, and a list without any asks for nothing.
    const items = value.filter(item => !isElement(item) || findRequest(item) !== undefined)
    return items.length === 0 ? undefined : items.map(read)
  }
  const listed = rule.isList ? [...new Set(Array.isArray(value) ? value : [value])] : value
  if (!rule.isAnyCase || typeof listed !== 'string') return listed
  return rule.allowedValues?.find(allowed => allowed.toLowerCase() === listed.toLowerCase()) ?? listed
}

// A lenient parameter of the wrong form is dropped and the rest is looked at again.
function validate(validator: Validator, values: Record<string, unknown>, table: ParameterTable): Violation | undefined {
  while (!validator(values)) {
    const violation = validator.errors?.[0]
    if (!violation) throw new Error('A validator refused a value and gave no reason')
    const name = violation.instancePath.split('/')[1] ?? ''
    if (!table.parameters[name]?.isLenient) return violation
    delete values[name]
  }
  return undefined
}
