import { readFile, stat } from 'node:fs/promises'
import { insideRoot } from '../weights/find-weight-files.ts'
import { ModelError } from './model-error.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** Longest configuration file that is read, in bytes. */
const MAX_CONFIG_BYTES = 1024 * 1024
/** Longest vocabulary file that is read, in bytes. */
export const MAX_VOCABULARY_BYTES = 32 * 1024 * 1024

/**
 * Reads a text file of at most `maxBytes` that lies in `root` (links out of it are refused).
 * Throws a ModelError that names it by `label`.
 */
export async function readTextFile(path: string, root: string, label: string, maxBytes: number): Promise<string> {
  const real = await insideRoot(path, root).catch(cause => {
    throw new ModelError(`${label} cannot be read: ${(cause as Error).message}`, { cause })
  })
  const { size } = await stat(real)
  if (size > maxBytes) throw new ModelError(`${label} is longer than ${maxBytes} bytes`)
  return readFile(real, 'utf8').catch(cause => {
    throw new ModelError(`${label} cannot be read`, { cause })
  })
}

/** Reads a JSON object. Throws a ModelError that names the file by `label`. */
export async function readJsonFile(path: string, root: string, label: string, maxBytes = MAX_CONFIG_BYTES): Promise<JsonObject> {
  return parseJsonObject(await readTextFile(path, root, label, maxBytes), label)
}

/**
 * Parses a JSON object. Python writes infinities and not-a-number as bare words (published noise schedules hold
 * `-Infinity`), which JSON does not have: they are read as the numbers they are, not-a-number as null.
 * Throws a ModelError that starts with `label`.
 */
export function parseJsonObject(text: string, label: string): JsonObject {
  const value = parse(text) ?? parse(pythonWordsToJson(text))
  if (!value) throw new ModelError(`${label} is not JSON${placeOf(text)}`)
  if (typeof value.json !== 'object' || value.json === null || Array.isArray(value.json))
    throw new ModelError(`${label} is not a JSON object`)
  return value.json as JsonObject
}

function parse(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

/** Where a text stops being JSON, for the person who wrote it; nothing where the parser does not tell. */
function placeOf(text: string): string {
  try {
    JSON.parse(pythonWordsToJson(text))
    return ''
  } catch (error) {
    const position = /at position (\d+)/.exec((error as SyntaxError).message)?.[1]
    if (position === undefined) return ''
    const lines = text.slice(0, Number(position)).split('\n')
    return ` (line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`
  }
}

/** Outside of strings only; the strings are matched too, so that a word in one is passed over. */
function pythonWordsToJson(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.){0,10000}"|-?Infinity|NaN/g, word => {
    if (word.startsWith('"')) return word
    return word === 'NaN' ? 'null' : word.replace('Infinity', '1e999')
  })
}
