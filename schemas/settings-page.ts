import { optionRows } from './emit-options.ts'
import type { SchemaNode } from './schema-node.ts'

/** The page of settings with its table written anew. */
export function settingsPage(page: string, config: SchemaNode): string {
  const rows = optionRows(config).map(({ key, flag, env, description, default: value, fallback }) =>
    `| \`${key}\` | \`--${flag}\` | \`${env}\` | ${fallback ?? valueOf(value)} | ${description ?? ''} |`)
  const table = ['| key | flag | environment variable | default | |', '|---|---|---|---|---|', ...rows].join('\n')
  return page.replace(/(<!-- generated: settings -->\n)[\s\S]*?(<!-- end -->)/, (_whole, start: string, end: string) => `${start}${table}\n${end}`)
}

function valueOf(value: unknown): string {
  const text = Array.isArray(value) ? value.join(', ') : value === undefined ? '' : String(value)
  return text === '' ? '' : `\`${text}\``
}
