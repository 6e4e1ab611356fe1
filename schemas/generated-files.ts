import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collectErrors, emitErrors, type ErrorsFile } from './emit-errors.ts'
import { emitOptions } from './emit-options.ts'
import { emitParameters, type TaskTypeRow } from './emit-parameters.ts'
import { emitTypes } from './emit-types.ts'
import { emitValidators } from './emit-validators.ts'
import { protocolTables } from './protocol-tables.ts'
import { resolveRefs, type SchemaNode } from './schema-node.ts'
import { settingsPage } from './settings-page.ts'

const settingsPath = 'docs/settings.md'
const header = '// Generated from schemas/ by `npm run generate`; do not edit.\n'

/** Every generated file by its path from the package's root, from the schemas in `root`. */
export async function generatedFiles(root: string): Promise<ReadonlyMap<string, string>> {
  const read = async <T>(name: string): Promise<T> => JSON.parse(await readFile(join(root, 'schemas', name), 'utf8')) as T
  const common = await read<SchemaNode>('common.json')
  const { $comment: _comment, ...types } = await read<Record<string, TaskTypeRow> & { $comment?: string }>('task-types.json')
  const tasks: Record<string, SchemaNode> = {}
  for (const [type, row] of Object.entries(types)) {
    if (row.schema !== undefined) tasks[type] = resolveRefs(await read<SchemaNode>(`tasks/${row.schema}`), common)
  }
  const errors = collectErrors(await read<ErrorsFile>('errors.json'), Object.values(tasks))
  const replies = await read<SchemaNode>('replies.json')
  const config = await read<SchemaNode>('config.json')
  const { definitions: models = {} } = await read<SchemaNode>('models.json')
  const { definitions: kinds = {}, shared } = await read<SchemaNode & { readonly shared: SchemaNode }>('bench.json')
  const scenarios = Object.fromEntries(Object.entries(kinds).map(([kind, schema]) => [kind, resolveRefs(schema, shared)]))
  const protocolPage = await readFile(join(root, 'PROTOCOL.md'), 'utf8').catch(() => '')
  const files = new Map([
    ['protocol/generated/requests.ts', header + (await typesOf(tasks)) + unionOf(Object.keys(tasks), tasks)],
    ['protocol/generated/replies.ts', `${header}import type { ErrorBody } from '../error-body.ts'\n\n${await typesOf(replies.definitions ?? {})}`],
    ['protocol/generated/validators.ts', `// @ts-nocheck\n${header}${emitValidators(tasks)}\n`],
    ['protocol/generated/parameters.ts', header + emitParameters(types, tasks)],
    ['protocol/generated/errors.ts', header + emitErrors(errors)],
    ['server/config/generated/config.ts', header + (await emitTypes('Config', config))],
    ['server/config/generated/validate-config.ts', `// @ts-nocheck\n${header}${emitValidators({ config })}\n`],
    ['server/config/generated/options.ts', header + emitOptions(config)],
    ['engine/models/generated/models-file.ts', header + (await typesOf(models))],
    ['engine/models/generated/validate-models-file.ts', `// @ts-nocheck\n${header}${emitValidators(models)}\n`],
    ['bench/generated/scenarios.ts', header + (await typesOf(scenarios)) + scenarioUnion(scenarios)],
    ['bench/generated/validate-scenario.ts', `// @ts-nocheck\n${header}${emitValidators(scenarios)}\n`],
  ])
  const settings = await readFile(join(root, settingsPath), 'utf8').catch(() => '')
  if (settings !== '') files.set(settingsPath, settingsPage(settings, config))
  if (protocolPage !== '') files.set('PROTOCOL.md', protocolTables(protocolPage, types, tasks, errors))
  return files
}

async function typesOf(schemas: Readonly<Record<string, SchemaNode>>): Promise<string> {
  const parts: string[] = []
  for (const [name, schema] of Object.entries(schemas)) parts.push(await emitTypes(schema.title ?? name, schema))
  return parts.join('\n')
}

function unionOf(types: readonly string[], tasks: Readonly<Record<string, SchemaNode>>): string {
  const rows = types.map((type) => `  readonly ${type}: ${tasks[type]?.title}`)
  return `\n/** The parameters of each supported task type. */\nexport interface RequestsByType {\n${rows.join('\n')}\n}\n`
}

function scenarioUnion(kinds: Readonly<Record<string, SchemaNode>>): string {
  return `\n/** A scenario of any kind. */\nexport type Scenario = ${Object.values(kinds).map(({ title }) => title).join(' | ')}\n`
}
