import type { SchemaNode } from './schema-node.ts'

/** Source of the table of settings: one row a key, with its flag and environment variable. */
export function emitOptions(config: SchemaNode): string {
  const rows = optionRows(config).map((row) => `  ${JSON.stringify(row)},`)
  return ["import type { ConfigOption } from '../config-option.ts'", '', '/** Every setting, in the order of the schema. */',
    'export const configOptions: readonly ConfigOption[] = [', ...rows, ']', ''].join('\n')
}

/** A setting as messages, help and the page of settings know it. */
export interface OptionRow {
  readonly key: string
  readonly flag: string
  readonly env: string
  readonly description: string | undefined
  readonly default: unknown
  readonly fallback: string | undefined
}

/** Every setting, in the order of the schema. */
export function optionRows(config: SchemaNode): readonly OptionRow[] {
  return leaves(config, []).map(([path, schema]) => rowOf(path, schema))
}

function leaves(node: SchemaNode, path: readonly string[]): (readonly [readonly string[], SchemaNode])[] {
  if (node.properties === undefined || node['x-json'] === true) return [[path, node]]
  return Object.entries(node.properties).flatMap(([key, child]) => leaves(child, [...path, key]))
}

function rowOf(path: readonly string[], schema: SchemaNode) {
  const words = path.flatMap((key) => key.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().split(' '))
  return {
    key: path.join('.'),
    flag: schema['x-flag'] ?? words.join('-'),
    env: schema['x-env'] ?? `LATENTD_${words.join('_').toUpperCase()}`,
    type: schema['x-json'] === true ? 'json' : schema.type,
    argument: schema['x-argument'],
    description: schema.description,
    default: schema['x-json'] === true ? undefined : schema.default,
    fallback: schema['x-fallback'],
    expected: schema['x-expected'],
    minimum: schema.minimum,
    exclusiveMinimum: schema.exclusiveMinimum,
    maximum: schema.maximum,
    minLength: schema.minLength ?? schema.items?.minLength,
    maxLength: schema.maxLength ?? schema.items?.maxLength,
    allowedValues: schema.enum,
    isSecret: schema['x-secret'],
  }
}
