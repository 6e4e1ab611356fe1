import type { ParameterRule, ParameterTable } from './parameter-table.ts'

/** Rules by the name of their parameter; a map, because the names that are looked up come from clients. */
export type IndexedRules = ReadonlyMap<string, IndexedRule>

/** A rule, and those of what its object may hold. */
export interface IndexedRule {
  readonly rule: ParameterRule
  readonly rules?: IndexedRules
}

/** What a task type takes, laid out for reading tasks. */
export interface IndexedTable {
  readonly table: ParameterTable
  readonly rules: IndexedRules
  readonly unsupported: readonly { readonly name: string; readonly path: readonly string[] }[]
  /** The first names of the paths of `unsupported`: a task that has none of them holds none of those. */
  readonly unsupportedHeads: ReadonlySet<string>
}

/** Lays a table out, once for all tasks. */
export function indexTable(table: ParameterTable): IndexedTable {
  const unsupported = table.unsupported.map(name => ({ name, path: name.split('.') }))
  return { table, rules: indexRules(table.parameters), unsupported, unsupportedHeads: new Set(unsupported.map(({ path }) => path[0] ?? '')) }
}

function indexRules(rules: Readonly<Record<string, ParameterRule>>): IndexedRules {
  return new Map(Object.entries(rules).map(([name, rule]) => [name, { rule, ...(rule.parameters && { rules: indexRules(rule.parameters) }) }]))
}
