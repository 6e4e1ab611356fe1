import { readFile, stat } from 'node:fs/promises'
import { insideRoot } from '../weights/find-weight-files.ts'
import { ModelError } from './model-error.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** Longest configuration file that is read, in bytes. */
export const MAX_CONFIG_BYTES = 1024 * 1024
/** Longest vocabulary file that is read, in bytes. */
export const MAX_VOCABULARY_BYTES = 32 * 1024 * 1024

/** Reads a text file of at most `maxBytes` that lies in `root` (links out of it are refused). Throws a ModelError that names it by `label`. */
export async function readTextFile(path: string, root: string, label: string, maxBytes: number): Promise<string> {
  const real = await insideRoot(path, root).catch(cause => { throw new ModelError(`${label} cannot be read: ${(cause as Error).message}`, { cause }) })
  const { size } = await stat(real)
  if (size > maxBytes) throw new ModelError(`${label} is longer than ${maxBytes} bytes`)
  return readFile(real, 'utf8').catch(cause => { throw new ModelError(`${label} cannot be read`, { cause }) })
}

/** Reads a JSON object. Throws a ModelError that names the file by `label`. */
export async function readJsonFile(path: string, root: string, label: string, maxBytes = MAX_CONFIG_BYTES): Promise<JsonObject> {
  return parseJsonObject(await readTextFile(path, root, label, maxBytes), label)
}

/** Parses a JSON object. Throws a ModelError that starts with `label`. */
export function parseJsonObject(text: string, label: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ModelError(`${label} is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ModelError(`${label} is not a JSON object`)
  return value as JsonObject
}
