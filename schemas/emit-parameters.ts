import { innerProperties, type SchemaNode } from './schema-node.ts'

/** One row of the task table. */
export interface TaskTypeRow {
  readonly spellings: readonly string[]
  readonly schema?: string
}

/** Source of the tables that the frame parser works by: task types, and each task's parameters. */
export function emitParameters(types: Readonly<Record<string, TaskTypeRow>>, tasks: Readonly<Record<string, SchemaNode>>): string {
  const supported = Object.entries(types).filter(([, row]) => row.schema !== undefined)
  const spellings = supported.flatMap(([type, row]) => row.spellings.map((spelling) => [spelling, type]))
  const known = Object.values(types).flatMap((row) => row.spellings)
  const tables = supported.map(([type]) => `  ${type}: ${JSON.stringify(tableOf(tasks[type] ?? {}), undefined, 2).replaceAll('\n', '\n  ')},`)
  return [
    "import type { ParameterTable } from '../parameter-table.ts'",
    '',
    '/** Each spelling of a supported task type, and the type it stands for. */',
    `export const taskTypeSpellings = ${JSON.stringify(spellings)} as const`,
    '',
    '/** Every task type that clients know, supported or not. */',
    `export const knownTaskTypes = ${JSON.stringify(known)} as const`,
    '',
    '/** What a task type takes. */',
    'export const parameterTables = {',
    ...tables,
    '} satisfies Record<string, ParameterTable>',
    '',
  ].join('\n')
}

function tableOf(task: SchemaNode): object {
  return { parameters: rulesOf(task.properties ?? {}), unsupported: task['x-unsupported'] ?? [] }
}

function rulesOf(properties: Readonly<Record<string, SchemaNode>>): object {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, parameterOf(schema)]))
}

function parameterOf(schema: SchemaNode): object {
  const inner = innerProperties(schema)
  return {
    type: schema.type,
    minimum: schema.minimum,
    // JSON.stringify would round a bound that no double holds; none is so small that this matters.
    maximum: schema.maximum,
    multipleOf: schema.multipleOf,
    minLength: schema.minLength,
    maxLength: schema.maxLength,
    allowedValues: schema.enum ?? schema.items?.enum,
    default: schema.default,
    expected: schema['x-expected'],
    isLenient: schema['x-lenient'],
    isList: schema['x-list'],
    isAnyCase: schema['x-anyCase'],
    isAbsentWhenEmpty: schema['x-emptyIsAbsent'],
    isSecret: schema['x-secret'],
    parameters: inner && rulesOf(inner),
  }
}
