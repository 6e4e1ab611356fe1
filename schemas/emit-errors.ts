import type { SchemaNode } from './schema-node.ts'

/** What the registry says of a code. */
export interface ErrorEntry {
  readonly message: string
  readonly status: number
  readonly retryable: boolean
  readonly meaning: string
}

/** The error file: hand-written codes, and templates of those that exist for each parameter. */
export interface ErrorsFile {
  readonly perParameter: Readonly<Record<'missing' | 'invalid' | 'invalidLength', ErrorEntry>>
  readonly codes: Readonly<Record<string, ErrorEntry>>
}

/** All codes: those of the file and those that follow from the task schemas' parameters. */
export function collectErrors(file: ErrorsFile, tasks: readonly SchemaNode[]): Readonly<Record<string, ErrorEntry>> {
  const derived: Record<string, ErrorEntry> = { invalidTaskType: file.perParameter.invalid }
  for (const task of tasks) {
    for (const [name, schema] of Object.entries(task.properties ?? {})) {
      const suffix = `${name.charAt(0).toUpperCase()}${name.slice(1)}`
      if (task.required?.includes(name)) derived[`missing${suffix}`] = file.perParameter.missing
      if (schema['x-lenient'] !== true) derived[`invalid${suffix}`] = file.perParameter.invalid
      if (schema['x-lenient'] !== true && limitsLength(schema)) derived[`invalid${suffix}Length`] = file.perParameter.invalidLength
    }
  }
  const merged = { ...derived, ...file.codes }
  return Object.fromEntries(Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** True where a too long or too short value has a code of its own. */
export function limitsLength(schema: SchemaNode): boolean {
  return schema.type === 'string' && (schema.minLength !== undefined || schema.maxLength !== undefined)
}

/** Source of the code union and the registry. */
export function emitErrors(errors: Readonly<Record<string, ErrorEntry>>): string {
  const rows = Object.entries(errors).map(([code, { message, status, retryable }]) =>
    `  ${code}: ${JSON.stringify({ message, status, isRetryable: retryable })},`)
  return ['/** Every error code: message template, HTTP status, and whether trying again can help. */',
    'export const errorRegistry = {', ...rows, '} as const', '', 'export type ErrorCode = keyof typeof errorRegistry', ''].join('\n')
}
