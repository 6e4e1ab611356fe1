import { findRequest } from './asks-for-nothing.ts'
import { copyStart } from './copy-start.ts'
import { createError } from './create-error.ts'
import { describeValue } from './describe-value.ts'
import { describeViolation, type Violation } from './describe-violation.ts'
import type { ErrorBody } from './error-body.ts'
import { parameterTables, taskTypeSpellings } from './generated/parameters.ts'
import * as validators from './generated/validators.ts'
import { indexTable } from './indexed-table.ts'
import type { IndexedRule, IndexedRules, IndexedTable } from './indexed-table.ts'
import type { ParameterTable } from './parameter-table.ts'
import type { ParsedElement, Task, TaskType } from './task.ts'

type Element = Readonly<Record<string, unknown>>
type Validator = ((value: unknown) => boolean) & { errors?: readonly Violation[] | null }

const typeBySpelling: ReadonlyMap<string, TaskType> = new Map(taskTypeSpellings)
const supportedSpellings = [...typeBySpelling.keys()]
const validatorOf: Readonly<Record<TaskType, Validator>> = validators
const tables: ReadonlyMap<TaskType, IndexedTable> = new Map(taskTypeSpellings.map(([, type]) => [type, indexTable(parameterTables[type])]))

/** The longest taskUUID that an error repeats; a longer one is not what any client waits for. */
const maxEchoLength = 1024

/** The longest path of a parameter in an error; names of a client's own may be of any length. */
const maxNameLength = 200

/** Reads one element of a frame. With `strictParameters` a parameter that the task type does not know is refused, not ignored. */
export function parseTask(element: unknown, strictParameters: boolean): ParsedElement {
  if (!isElement(element)) return refused(createError('invalidRequest', { value: `an array with ${describeValue(element)}` }))
  const taskType = element['taskType'] ?? (element['ping'] === true ? 'ping' : undefined)
  if (typeof taskType !== 'string') return refused(refuseTaskType(taskType, identityOf(element, taskType)))
  const type = typeBySpelling.get(taskType)
  const table = type && tables.get(type)
  if (!type || !table) {
    const expected = `one of ${supportedSpellings.join(', ')}`
    return refused(createError('unsupportedTaskType', {
      ...identityOf(element, taskType), parameter: 'taskType', type: 'string', allowedValues: supportedSpellings, expected, value: describeValue(taskType),
    }))
  }
  const error = findForbidden(element, table, strictParameters, taskType)
  if (error) return refused(error)
  const values = readValues(element, table.rules)
  values['taskType'] = taskType
  const violation = validate(validatorOf[type], values, table.table)
  if (violation) return refused(describeViolation(violation, table.table, values, identityOf(element, taskType)))
  // The validator has just proved that the values are those of this type.
  const task = { type, taskType, request: values } as unknown as Task
  return { type: 'task', task }
}

/** A taskUUID or taskType as an error may repeat it: a text that is not empty and not absurdly long. */
export function echoOf(name: unknown): string | undefined {
  return typeof name === 'string' && name !== '' && name.length <= maxEchoLength ? name : undefined
}

/** What an error says of the element it is about. */
function identityOf(element: Element, taskType: unknown): { readonly taskType?: string; readonly taskUUID?: string } {
  const taskUUID = echoOf(element['taskUUID'])
  return { ...(typeof taskType === 'string' && { taskType: copyStart(taskType, maxEchoLength) }), ...(taskUUID !== undefined && { taskUUID }) }
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

function findForbidden(element: Element, table: IndexedTable, strictParameters: boolean, taskType: string): ErrorBody | undefined {
  if (mayHoldForbidden(element, table)) {
    for (const { name, path } of table.unsupported) {
      const inside = findRequest(valueAt(element, path))
      if (inside === undefined) continue
      return createError('unsupportedParameter', { ...identityOf(element, taskType), parameter: inside === '' ? name : copyStart(`${name}.${inside}`, maxNameLength) })
    }
  }
  const unknown = strictParameters ? findUnknown(element, table.rules, ['taskUUID', ...table.table.unsupported]) : undefined
  return unknown === undefined ? undefined : createError('unknownParameter', { ...identityOf(element, taskType), parameter: copyStart(unknown, maxNameLength) })
}

/** A task names a few parameters of many, so its own names are looked up, and not the many in it. */
function mayHoldForbidden(element: Element, { unsupportedHeads }: IndexedTable): boolean {
  for (const name in element) if (unsupportedHeads.has(name)) return true
  return false
}

function valueAt(element: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (isElement(value) && Object.hasOwn(value, name) ? value[name] : undefined), element)
}

/** The path of the first name that no rule stands for. */
function findUnknown(element: Element, rules: IndexedRules, known: readonly string[] = []): string | undefined {
  for (const [name, value] of Object.entries(element)) {
    if (value === null || known.includes(name)) continue
    const indexed = rules.get(name)
    if (!indexed) return name
    const { rules: innerRules } = indexed
    const inner = innerRules && findInside(value, name, (object) => findUnknown(object, innerRules))
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
// Put together name by name: of a copy made by spreading V8 makes an object to which the validator adds its defaults ten times slower.
function readValues(element: Element, rules: IndexedRules): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const name in element) {
    const rule = rules.get(name)
    const read = rule && readValue(element[name], rule)
    if (read !== undefined) values[name] = read
  }
  return values
}

/** Undefined where the value asks for nothing. */
function readValue(value: unknown, { rule, rules }: IndexedRule): unknown {
  if (value === undefined || value === null || (rule.isAbsentWhenEmpty && value === '')) return undefined
  if (rules) {
    const read = (object: unknown): unknown => (isElement(object) ? readValues(object, rules) : object)
    if (!Array.isArray(value)) return read(value)
    // An object that asks for nothing (all nulls) is no element of a list, and a list without any asks for nothing.
    const items = value.filter(item => !isElement(item) || findRequest(item) !== undefined)
    return items.length === 0 ? undefined : items.map(read)
  }
  const listed = rule.isList ? [...new Set(Array.isArray(value) ? value : [value])] : value
  if (!rule.isAnyCase || typeof listed !== 'string' || rule.allowedValues?.includes(listed)) return listed
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
