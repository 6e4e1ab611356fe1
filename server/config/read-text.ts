import type { ConfigOption } from './config-option.ts'

const number = /^[+-]?\d+(\.\d+)?(e[+-]?\d{1,3})?$/i
const words: ReadonlyMap<string, boolean> = new Map([['true', true], ['false', false], ['1', true], ['0', false]])

/**
 * The value that a flag's or variable's text stands for. A text that does not fit the setting's type is returned as it
 * is: the validator then refuses it like any wrong value.
 */
export function readText(text: string, { type }: ConfigOption): unknown {
  switch (type) {
    case 'integer':
    case 'number':
      return number.test(text) ? Number(text) : text
    case 'boolean':
      return words.get(text.toLowerCase()) ?? text
    case 'array':
      return text.split(',').map(part => part.trim())
    case 'json':
      return readJson(text)
    case 'string':
      return text
    default: {
      const never: never = type
      throw new Error(`Unknown type ${String(never)}`)
    }
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
