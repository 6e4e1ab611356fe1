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
  const name = isMissing ? String(violation.params['missingProperty']) : (violation.instancePath.split('/')[1] ?? '')
  const rule = table.parameters[name]
  if (!rule) throw new Error(`The validator found fault with ${name}, which the table does not have`)
  const isLength = violation.keyword === 'minLength' || violation.keyword === 'maxLength'
  return createError(codeOf(name, isMissing, isLength), {
    ...identity,
    parameter: name,
    ...boundsOf(rule),
    expected: expectationOf(rule),
    value: rule.isSecret ? 'something else' : valueOf(values[name], isLength),
  })
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

function codeOf(name: string, isMissing: boolean, isLength: boolean): ErrorCode {
  const code = `${isMissing ? 'missing' : 'invalid'}${name.charAt(0).toUpperCase()}${name.slice(1)}${isLength ? 'Length' : ''}`
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
