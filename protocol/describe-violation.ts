import { createError, type ErrorDetails } from './create-error.ts'
import { describeValue } from './describe-value.ts'
import type { ErrorBody } from './error-body.ts'
import { type ErrorCode, isErrorCode } from './error-codes.ts'
import type { ParameterRule, ParameterTable } from './parameter-table.ts'

/** The part of a validator's finding that is used. */
export interface Violation {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
}

/** Says a validator's finding as an error that names the parameter, what was expected and what came. */
export function describeViolation(
  violation: Violation,
  table: ParameterTable,
  values: Readonly<Record<string, unknown>>,
  identity: Pick<ErrorDetails, 'taskType' | 'taskUUID'>,
): ErrorBody {
  const isMissing = violation.keyword === 'required'
  const steps = violation.instancePath.split('/').slice(1)
  if (isMissing) steps.push(String(violation.params['missingProperty']))
  const rule = ruleAt(steps, table)
  const isLength = violation.keyword === 'minLength' || violation.keyword === 'maxLength'
  return createError(codeOf(steps, isMissing, isLength), {
    ...identity,
    parameter: pathOf(steps),
    ...boundsOf(rule),
    expected: expectationOf(rule),
    value: rule.isSecret ? 'something else' : valueOf(valueAt(steps, values), isLength),
  })
}

/** The rule of the parameter that the steps of an instance path lead to; numbers are places in lists. */
function ruleAt(steps: readonly string[], table: ParameterTable): ParameterRule {
  let rule: Pick<ParameterRule, 'parameters'> | undefined = table
  for (const step of steps) if (!isPlace(step)) rule = rule?.parameters?.[step]
  if (!rule || rule === table) throw new Error(`The validator found fault with ${steps.join('/')}, which the table does not have`)
  return rule as ParameterRule
}

function valueAt(steps: readonly string[], values: unknown): unknown {
  return steps.reduce<unknown>((value, step) => (value as Readonly<Record<string, unknown>> | undefined)?.[step], values)
}

/** As clients write it: `controlNet[0].weight`. */
function pathOf(steps: readonly string[]): string {
  return steps.map((step, index) => (isPlace(step) ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
}

function isPlace(step: string): boolean {
  return /^\d+$/.test(step)
}

/** The fields of an error body that tell what a parameter may be. */
export function boundsOf(rule: ParameterRule): Pick<ErrorBody, 'type' | 'min' | 'max' | 'default' | 'allowedValues'> {
  const min = rule.minimum ?? rule.minLength
  const max = rule.maximum ?? rule.maxLength
  return {
    type: rule.type,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(rule.default !== undefined && { default: rule.default }),
    ...(rule.allowedValues && { allowedValues: rule.allowedValues }),
  }
}

/** Codes exist for the parameters of a task; one inside another has the code of the whole, and its own path tells it. */
function codeOf([name = '', ...inside]: readonly string[], isMissing: boolean, isLength: boolean): ErrorCode {
  const isWhole = inside.length === 0
  const code = `${isMissing && isWhole ? 'missing' : 'invalid'}${name.charAt(0).toUpperCase()}${name.slice(1)}${isLength && isWhole ? 'Length' : ''}`
  if (!isErrorCode(code)) throw new Error(`The registry lacks ${code}`)
  return code
}

function expectationOf(rule: ParameterRule): string {
  if (rule.expected !== undefined) return rule.expected
  const { type, minimum, maximum, multipleOf, minLength, maxLength, allowedValues } = rule
  if (allowedValues) return `${rule.isList ? 'one or a list of' : 'one of'} ${allowedValues.join(', ')}`
  if (type === 'string') return maxLength === undefined ? 'a text' : `a text of ${minLength ?? 0} to ${maxLength} characters`
  if (minimum !== undefined && maximum !== undefined) {
    const kind = multipleOf !== undefined ? `a multiple of ${multipleOf}` : type === 'integer' ? 'a whole number' : 'a number'
    return `${kind} from ${minimum} to ${maximum}`
  }
  return type === 'boolean' ? 'true or false' : `of type ${type}`
}

function valueOf(value: unknown, isLength: boolean): string {
  return isLength && typeof value === 'string' ? `${[...value].length}` : describeValue(value)
}
