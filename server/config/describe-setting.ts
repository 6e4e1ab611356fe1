import type { ConfigOption } from './config-option.ts'

/** What a setting may be, in words that follow "must be". */
export function describeExpectation(option: ConfigOption): string {
  const { type, expected, allowedValues, minimum, exclusiveMinimum, maximum, minLength, maxLength } = option
  if (expected !== undefined) return expected
  if (allowedValues) return `one of ${allowedValues.join(', ')}`
  switch (type) {
    case 'boolean':
      return 'true or false'
    case 'integer':
    case 'number': {
      const kind = type === 'integer' ? 'a whole number' : 'a number'
      const from = exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : ` from ${minimum ?? 0}`
      return `${kind}${from}${maximum === undefined ? (exclusiveMinimum === undefined ? ' up' : '') : exclusiveMinimum === undefined ? ` to ${maximum}` : ` and at most ${maximum}`}`
    }
    case 'array':
      return `a list of texts${minLength !== undefined && minLength > 1 ? ` of ${minLength} to ${maxLength} characters` : ' that are not empty'}`
    case 'json':
      return 'a JSON object with the numbers perImage and perMegapixelStep, and models with the same by AIR'
    case 'string':
      return 'a text that is not empty'
    default: {
      const never: never = type
      throw new Error(`Unknown type ${String(never)}`)
    }
  }
}
