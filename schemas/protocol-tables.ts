import type { ErrorEntry } from './emit-errors.ts'
import type { TaskTypeRow } from './emit-parameters.ts'
import { innerProperties, type SchemaNode } from './schema-node.ts'

/** The protocol page with the parts between its `generated` marks written anew. */
export function protocolTables(
  page: string,
  types: Readonly<Record<string, TaskTypeRow>>,
  tasks: Readonly<Record<string, SchemaNode>>,
  errors: Readonly<Record<string, ErrorEntry>>,
): string {
  const parts: Record<string, string> = {
    tasks: taskTable(types, tasks),
    errors: errorTable(errors),
    ...Object.fromEntries(Object.entries(tasks).map(([type, schema]) => [type, parameterTable(schema)])),
  }
  return page.replace(/(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (whole, start: string, name: string, end: string) =>
    parts[name] === undefined ? whole : `${start}${parts[name]}\n${end}`)
}

function taskTable(types: Readonly<Record<string, TaskTypeRow>>, tasks: Readonly<Record<string, SchemaNode>>): string {
  const rows = Object.entries(types).map(([type, row]) => {
    const spellings = row.spellings.map((spelling) => `\`${spelling}\``).join(', ')
    return `| ${spellings} | ${tasks[type]?.description ?? 'not supported: `unsupportedTaskType`'} |`
  })
  return ['| task type | |', '|---|---|', ...rows].join('\n')
}

function errorTable(errors: Readonly<Record<string, ErrorEntry>>): string {
  const rows = Object.entries(errors).map(([code, entry]) => `| \`${code}\` | ${entry.status} | ${entry.retryable ? 'yes' : 'no'} | ${entry.meaning} |`)
  return ['| code | HTTP status | try again | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function parameterTable(task: SchemaNode): string {
  const rows = parameterRows(task, '')
  const unsupported = task['x-unsupported']?.map((name) => `\`${name}\``).join(', ')
  const table = ['| parameter | type | values | default | |', '|---|---|---|---|---|', ...rows]
  return [...table, ...(unsupported === undefined ? [] : ['', `Refused by name with \`unsupportedParameter\`: ${unsupported}.`])].join('\n')
}

/** A row for each parameter, and below it one for each parameter inside it. */
function parameterRows(node: SchemaNode, prefix: string): readonly string[] {
  return Object.entries(innerProperties(node) ?? {}).flatMap(([name, schema]) => {
    const path = prefix + name
    const row = `| \`${path}\` | ${typeOf(schema)} | ${rangeOf(schema)} | ${defaultOf(name, schema, node.items ?? node)} | ${schema.description ?? ''} |`
    return [row, ...parameterRows(schema, schema.items ? `${path}[].` : `${path}.`)]
  })
}

function typeOf(schema: SchemaNode): string {
  if (schema['x-list'] === true) return 'string or list'
  return schema.items?.properties ? 'list of objects' : String(schema.type)
}

function rangeOf(schema: SchemaNode): string {
  const allowed = schema.enum ?? schema.items?.enum
  if (allowed !== undefined) return allowed.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.maximum !== undefined) {
    const maximum = schema.maximum > Number.MAX_SAFE_INTEGER ? '2^63' : String(schema.maximum)
    return `${schema.minimum} to ${maximum}${schema.multipleOf === undefined ? '' : `, multiples of ${schema.multipleOf}`}`
  }
  if (schema['x-expected'] !== undefined) return schema['x-expected']
  return schema.maxLength === undefined ? '' : `${schema.minLength ?? 0} to ${schema.maxLength} characters`
}

function defaultOf(name: string, schema: SchemaNode, task: SchemaNode): string {
  if (task.required?.includes(name)) return 'required'
  if (schema.default !== undefined) return `\`${Array.isArray(schema.default) ? schema.default.join(', ') : String(schema.default)}\``
  return schema['x-fallback'] ?? ''
}
