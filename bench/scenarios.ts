import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Scenario } from './generated/scenarios.ts'
import * as generated from './generated/validate-scenario.ts'

/** A scenario and what it is called: its file's name, without the number that orders the files. */
export interface NamedScenario {
  readonly name: string
  readonly scenario: Scenario
}

/** A scenario file is not as expected; the message says which and why. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'
}

/** Which scenarios of a folder are run. */
export interface Selection {
  readonly set: Scenario['set']
  /** Beginnings of names; where any are given they alone decide, and not the set. */
  readonly only: readonly string[]
}

interface Violation {
  readonly instancePath: string
  readonly message?: string
  readonly params: Readonly<Record<string, unknown>>
}

type Validator = ((value: unknown) => boolean) & { readonly errors?: readonly Violation[] | null }

// Generated code has no types of its own.
const validators = generated as unknown as Readonly<Record<string, Validator>>

/** Reads the scenarios of a folder in the order of their files' names. Throws a ScenarioError. */
export async function readScenarios(folder: string): Promise<readonly NamedScenario[]> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.json')).sort()
  return await Promise.all(files.map(async file => {
    return { name: basename(file, '.json').replace(/^\d+-/, ''), scenario: parseScenario(file, await readFile(join(folder, file), 'utf8')) }
  }))
}

/** Reads one scenario and fills its defaults in. Throws a ScenarioError. */
export function parseScenario(file: string, text: string): Scenario {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ScenarioError(`${file} is not JSON: ${(cause as Error).message}`, { cause })
  }
  const kind = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)['kind'] : undefined
  const validate = typeof kind === 'string' && Object.hasOwn(validators, kind) ? validators[kind] : undefined
  if (!validate) throw new ScenarioError(`${file}: "kind" has to be one of ${Object.keys(validators).join(', ')}`)
  if (!validate(value)) throw new ScenarioError(`${file}: ${describe(validate.errors?.[0])}`)
  // The validator has just proved the shape.
  return value as Scenario
}

/** The scenarios that a run takes. Throws a ScenarioError when a name fits none. */
export function selectScenarios(all: readonly NamedScenario[], { set, only }: Selection): readonly NamedScenario[] {
  if (only.length === 0) return all.filter(({ scenario }) => scenario.set === set)
  const unknown = only.find(start => !all.some(({ name }) => name.startsWith(start)))
  if (unknown !== undefined) throw new ScenarioError(`no scenario's name begins with ${JSON.stringify(unknown)}; --list shows them`)
  return all.filter(({ name }) => only.some(start => name.startsWith(start)))
}

function describe({ instancePath = '', message = 'is wrong', params = {} }: Partial<Violation> = {}): string {
  const field = instancePath.slice(1).replaceAll('/', '.')
  const { additionalProperty, allowedValues } = params
  if (additionalProperty !== undefined) return `${field ? `${field}: ` : ''}unknown key ${JSON.stringify(additionalProperty)}`
  const allowed = Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : ''
  return `${field ? `"${field}" ` : 'it '}${message}${allowed}`
}
