import { dirname, resolve } from 'node:path'
import secureJson from 'secure-json-parse'
import { StartError } from '../start-error.ts'
import type { ConfigOption } from './config-option.ts'
import type { ConfigSources, FlagValue } from './config-sources.ts'
import { describeExpectation } from './describe-setting.ts'
import type { Config } from './generated/config.ts'
import { configOptions } from './generated/options.ts'
import { config as validateConfig } from './generated/validate-config.ts'
import { readText } from './read-text.ts'

/** Where each setting that was given came from, for messages. */
type Origins = Map<string, string>

interface Violation {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
}

const validate: ((value: unknown) => boolean) & { errors?: readonly Violation[] | null } = validateConfig

/** Settings that are places: in a file they are relative to that file's folder. */
const placeKeys = ['models', 'data']

/**
 * The configuration that flags, environment and file add up to, with its defaults filled in, frozen.
 * Throws a StartError that says what was expected and where the wrong value came from.
 */
export function resolveConfig(sources: ConfigSources): Config {
  const origins: Origins = new Map()
  const values = readFile(sources, origins)
  for (const option of configOptions) {
    const variable = sources.env[option.env]
    if (variable !== undefined && variable !== '') place(values, option, readText(variable, option), `the environment variable ${option.env}`, origins)
    const flag = sources.flags[option.flag]
    if (flag !== undefined) place(values, option, readFlag(flag, option), `the flag --${option.flag}`, origins)
  }
  if (!validate(values)) throw new StartError(describe(values, origins, sources))
  // The validator has just proved the shape, and filled the defaults in.
  return freeze(values) as unknown as Config
}

function readFile({ file }: ConfigSources, origins: Origins): Record<string, unknown> {
  if (!file) return {}
  let parsed: unknown
  try {
    parsed = secureJson.parse(file.text)
  } catch (cause) {
    throw new StartError(`The configuration file ${file.path} must be JSON${placeOf(cause, file.text)}.`, { cause })
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new StartError(`The configuration file ${file.path} must hold a JSON object.`)
  const values = parsed as Record<string, unknown>
  for (const { key } of configOptions) origins.set(key, `${key} in ${file.path}`)
  const folder = dirname(resolve(file.path))
  for (const key of placeKeys) values[key] = fromFolder(folder, values[key])
  for (const key of placeKeys) if (values[key] === undefined) delete values[key]
  return values
}

/** Where a text stopped being JSON, when the parser tells; never what stands there, which may be a key. */
function placeOf(cause: unknown, text: string): string {
  const position = cause instanceof SyntaxError ? /at position (\d+)/.exec(cause.message)?.[1] : undefined
  if (position === undefined) return ', and it cannot be parsed'
  const before = text.slice(0, Number(position)).split('\n')
  return `, and it stops being so at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}

function fromFolder(folder: string, value: unknown): unknown {
  if (typeof value === 'string' && value !== '') return resolve(folder, value)
  return Array.isArray(value) ? value.map(item => fromFolder(folder, item)) : value
}

function readFlag(value: FlagValue, option: ConfigOption): unknown {
  if (value === true || typeof value !== 'string') return value
  return readText(value, option)
}

function place(values: Record<string, unknown>, { key }: ConfigOption, value: unknown, origin: string, origins: Origins): void {
  const path = key.split('.')
  const last = path.pop() ?? key
  let node = values
  for (const part of path) {
    const child = node[part]
    // Something that is no object stays for the validator to refuse; a flag cannot mend a broken file.
    if (child !== undefined && (typeof child !== 'object' || child === null)) return
    node = (node[part] ??= {}) as Record<string, unknown>
  }
  node[last] = value
  origins.set(key, origin)
}

function describe(values: Readonly<Record<string, unknown>>, origins: Origins, { file }: ConfigSources): string {
  const violation = validate.errors?.[0]
  const path = violation?.instancePath.split('/').slice(1) ?? []
  const key = path.join('.')
  const option = configOptions.find(candidate => key === candidate.key || key.startsWith(`${candidate.key}.`))
  if (!option && violation?.keyword === 'additionalProperties') {
    const unknown = [...path, violation.params['additionalProperty']].join('.')
    return `${file?.path ?? 'The configuration'} has a setting ${JSON.stringify(unknown.slice(0, 100))}, which does not exist; latentd serve --help lists them all.`
  }
  if (!option) return `${key} in ${file?.path ?? 'the configuration'} must be an object of settings.`
  const value = option.isSecret ? '' : `, got ${show(valueAt(values, option.key.split('.')))}`
  const origin = origins.get(option.key) ?? option.key
  return `${origin.replace(/^the /, 'The ')} must be ${describeExpectation(option)}${value}.`
}

function valueAt(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, part) => (node as Readonly<Record<string, unknown>> | undefined)?.[part], values)
}

function show(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

function freeze(value: object): object {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) freeze(child as object)
  return Object.freeze(value)
}
