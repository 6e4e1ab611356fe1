import { ConfigError } from './config-error.ts'

/** Reads the values of a component's `config.json`, with the defaults of the library that wrote it. A null counts as absent. */
export class ConfigReader {
  readonly #component: string
  readonly #config: Readonly<Record<string, unknown>>

  /** @param component for messages, for example `unet` */
  constructor(component: string, config: Readonly<Record<string, unknown>>) {
    this.#component = component
    this.#config = config
  }

  /** A positive whole number. */
  size(key: string, fallback: number): number {
    const value = this.#value(key, fallback)
    if (!isSize(value)) throw this.error(key, `must be a positive whole number, not ${JSON.stringify(value)}`)
    return value
  }

  number(key: string, fallback: number): number {
    const value = this.#value(key, fallback)
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.error(key, `must be a number, not ${JSON.stringify(value)}`)
    return value
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.#value(key, fallback)
    if (typeof value !== 'boolean') throw this.error(key, `must be true or false, not ${JSON.stringify(value)}`)
    return value
  }

  /** One of a closed set of strings. */
  choice<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
    return this.#allowed(key, allowed, this.#value(key, fallback))
  }

  /** A list of strings of a closed set. */
  choices<T extends string>(key: string, allowed: readonly T[], fallback: readonly T[]): readonly T[] {
    const value = this.#value(key, fallback)
    if (!Array.isArray(value) || value.length === 0) throw this.error(key, `must be a list, not ${JSON.stringify(value)}`)
    return value.map(each => this.#allowed(key, allowed, each))
  }

  /** A list of positive whole numbers. */
  sizes(key: string, fallback: readonly number[]): readonly number[] {
    const value = this.#value(key, fallback)
    if (!Array.isArray(value) || value.length === 0 || !value.every(isSize)) {
      throw this.error(key, `must be a list of positive whole numbers, not ${JSON.stringify(value)}`)
    }
    return value
  }

  /** A configuration inside of this one. */
  object(key: string): Readonly<Record<string, unknown>> {
    const value = this.#value(key, {})
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.error(key, `must be an object, not ${JSON.stringify(value)}`)
    }
    return value as Readonly<Record<string, unknown>>
  }

  /** One positive whole number for all levels, or a list with one for each. */
  sizePerLevel(key: string, levels: number, fallback: number): readonly number[] {
    const value = this.#value(key, fallback)
    if (isSize(value)) return Array.from({ length: levels }, () => value)
    const list = this.sizes(key, [])
    if (list.length !== levels) throw this.error(key, `must have ${levels} entries, one for each level, not ${list.length}`)
    return list
  }

  has(key: string): boolean {
    return this.#config[key] !== undefined && this.#config[key] !== null
  }

  /** Refuses any value of `key` but the ones that ask for nothing special: absent, null, or `neutral`. */
  refuse(key: string, ...neutral: readonly unknown[]): void {
    const value = this.#config[key]
    if (value === undefined || value === null || neutral.includes(value)) return
    if (Array.isArray(value) && value.every(each => neutral.includes(each))) return
    throw this.error(key, `is not supported as ${JSON.stringify(value)}`)
  }

  error(key: string, problem: string): ConfigError {
    return new ConfigError(`${this.#component}.${key}`, problem)
  }

  #value(key: string, fallback: unknown): unknown {
    return this.has(key) ? this.#config[key] : fallback
  }

  #allowed<T extends string>(key: string, allowed: readonly T[], value: unknown): T {
    const found = allowed.find(each => each === value)
    if (found === undefined) throw this.error(key, `is not supported as ${JSON.stringify(value)} (supported: ${allowed.join(', ')})`)
    return found
  }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}
