import { join } from 'node:path'
import type { ModelsFile, ModelsFileEntry } from './generated/models-file.ts'
import * as generated from './generated/validate-models-file.ts'
import { readJsonFile } from './json-file.ts'
import { ModelError } from './model-error.ts'

export type { ModelsFileEntry } from './generated/models-file.ts'

/** Name of the file that says what a models folder offers. */
export const MODELS_FILE = 'models.json'

/** An entry that does not follow the schema: what can be said of its identifier, and the first thing that is wrong. */
export interface InvalidEntry {
  readonly air: string
  readonly reason: string
}

interface SchemaError {
  readonly instancePath: string
  readonly message?: string
  readonly params: Readonly<Record<string, unknown>>
}

/** A validator that ajv generated: its errors are those of the latest call. */
interface Validator<T> {
  (value: unknown): value is T
  readonly errors?: readonly SchemaError[] | null
}

// Generated code has no types of its own.
const isModelsFile = generated.modelsFile as unknown as Validator<ModelsFile>
const isEntry = generated.modelsFileEntry as unknown as Validator<ModelsFileEntry>

/**
 * Reads a folder's `models.json`; an entry that does not follow the schema never harms the others.
 * Throws a ModelError when the file as a whole cannot be used.
 */
export async function readModelsFile(folder: string): Promise<{ entries: readonly ModelsFileEntry[]; invalid: readonly InvalidEntry[] }> {
  const file: unknown = await readJsonFile(join(folder, MODELS_FILE), folder, MODELS_FILE)
  if (!isModelsFile(file)) throw new ModelError(`${MODELS_FILE} is not as expected: ${firstProblem(isModelsFile)}`)
  const entries: ModelsFileEntry[] = []
  const invalid: InvalidEntry[] = []
  for (const [index, entry] of file.models.entries()) {
    if (isEntry(entry)) entries.push(entry)
    else invalid.push({ air: airOf(entry, index), reason: `its entry in ${MODELS_FILE} is not as expected: ${firstProblem(isEntry)}` })
  }
  return { entries, invalid }
}

function firstProblem({ errors }: Pick<Validator<unknown>, 'errors'>): string {
  const { instancePath = '', message = 'is wrong', params = {} } = errors?.[0] ?? {}
  const field = instancePath.slice(1).replaceAll('/', '.')
  const { additionalProperty, allowedValues } = params
  if (additionalProperty !== undefined) return `${field ? `${field}: ` : ''}unknown key ${JSON.stringify(additionalProperty)}`
  const allowed = Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : ''
  return `${field ? `"${field}" ` : 'it '}${message}${allowed}`
}

function airOf(entry: unknown, index: number): string {
  const air = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)['air'] : undefined
  return typeof air === 'string' && air !== '' ? air.slice(0, 200) : `entry ${index + 1} of ${MODELS_FILE}`
}
