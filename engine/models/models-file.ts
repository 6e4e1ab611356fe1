import { join } from 'node:path'
import { validate } from './generated/models-file.ts'
import { readJsonFile } from './json-file.ts'
import { ModelError } from './model-error.ts'
import type { ModelDefaults, ModelType } from './model-spec.ts'

/** Name of the file that says what a models folder offers. */
export const MODELS_FILE = 'models.json'

/** One entry of `models.json`, as `schemas/models.json` defines it. */
export interface ModelsFileEntry {
  readonly air: string
  readonly type: ModelType
  readonly path: string
  readonly config?: string
  readonly name?: string
  readonly defaults?: ModelDefaults
}

/** An entry that does not follow the schema: what can be said of its identifier, and the first thing that is wrong. */
export interface InvalidEntry {
  readonly air: string
  readonly reason: string
}

/** A validator that ajv generated: its errors are those of the latest call. */
interface Validator {
  (value: unknown): boolean
  readonly errors?: readonly SchemaError[] | null
}

interface SchemaError {
  readonly instancePath: string
  readonly message?: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
}

const validateModelsFile = validate as unknown as Validator

/**
 * Reads a folder's `models.json`; an entry that does not follow the schema never harms the others.
 * Throws a ModelError when the file as a whole cannot be used.
 */
export async function readModelsFile(folder: string): Promise<{ entries: readonly ModelsFileEntry[], invalid: readonly InvalidEntry[] }> {
  const file = await readJsonFile(join(folder, MODELS_FILE), folder, MODELS_FILE)
  const errors = validateModelsFile(file) ? [] : validateModelsFile.errors ?? []
  const reasons = new Map<number, string>()
  for (const error of errors) {
    const [, index] = /^\/models\/(\d+)/.exec(error.instancePath) ?? []
    if (index === undefined) throw new ModelError(`${MODELS_FILE} is not as expected: ${describe(error, '')}`)
    if (!reasons.has(Number(index))) reasons.set(Number(index), describe(error, `/models/${index}`))
  }
  const entries = file['models'] as readonly unknown[]
  return {
    entries: entries.filter((_, index) => !reasons.has(index)) as readonly ModelsFileEntry[],
    invalid: [...reasons].map(([index, reason]) => ({ air: airOf(entries[index], index), reason: `its entry in ${MODELS_FILE} is not as expected: ${reason}` })),
  }
}

function describe({ instancePath, message = 'is wrong', params }: SchemaError, prefix: string): string {
  const field = instancePath.slice(prefix.length).replaceAll('/', '.').replace(/^\./, '')
  const { additionalProperty, allowedValues } = params
  if (additionalProperty !== undefined) return `${field ? `${field}: ` : ''}unknown key ${JSON.stringify(additionalProperty)}`
  const allowed = Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : ''
  return `${field ? `"${field}" ` : 'it '}${message}${allowed}`
}

function airOf(entry: unknown, index: number): string {
  const air = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)['air'] : undefined
  return typeof air === 'string' && air !== '' ? air.slice(0, 200) : `entry ${index + 1} of ${MODELS_FILE}`
}
