import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import type { ConfigOption } from '../config/config-option.ts'
import type { FlagValue } from '../config/config-sources.ts'
import { type PlacedConfig, withDefaultPlaces } from '../config/default-places.ts'
import { configOptions } from '../config/generated/options.ts'
import { resolveConfig } from '../config/resolve-config.ts'
import { StartError } from '../start-error.ts'
import { packageRoot } from './package-root.ts'

const configVariable = 'LATENTD_CONFIG'

/** Gives a command a flag for each of the named settings (all where none is named) and the one that names the file. */
export function addConfigFlags(command: Command, keys?: readonly string[]): void {
  command.addOption(new Option('--config <FILE>', `JSON file of settings (env: ${configVariable})`))
  for (const option of configOptions) if (!keys || keys.includes(option.key)) command.addOption(flagOf(option))
}

/** The configuration that a command was given. Throws a StartError. */
export function readConfig(command: Command, env: Readonly<Record<string, string | undefined>>): PlacedConfig {
  const values = command.opts<Record<string, unknown>>()
  const flags: Record<string, FlagValue> = {}
  for (const option of command.options) {
    const value = values[option.attributeName()]
    if (value !== undefined) flags[option.long?.slice(2) ?? ''] = value as FlagValue
  }
  const path = typeof values['config'] === 'string' ? values['config'] : env[configVariable]
  const config = resolveConfig({ flags, env, ...(path && { file: { path, text: readText(path) } }) })
  return withDefaultPlaces(config, env, join(packageRoot(), 'models'))
}

function flagOf(option: ConfigOption): Option {
  const { flag, type, argument } = option
  const form = type === 'boolean' ? `--${flag} [true|false]` : `--${flag} <${argument ?? 'VALUE'}>`
  const result = new Option(form, `${option.description} (${notes(option)})`)
  if (type === 'array') result.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
  return result
}

function notes({ default: value, fallback, env, key, allowedValues, isSecret }: ConfigOption): string {
  const shown = Array.isArray(value) ? value.join(',') : value
  return [
    ...(allowedValues ? [`one of: ${allowedValues.join(', ')}`] : []),
    ...(fallback !== undefined ? [`default: ${fallback}`] : shown === undefined || shown === '' || isSecret ? [] : [`default: ${String(shown)}`]),
    `env: ${env}`,
    `key: ${key}`,
  ].join('; ')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new StartError(`The configuration file ${path} cannot be read: it must be a readable JSON file.`, { cause })
  }
}
