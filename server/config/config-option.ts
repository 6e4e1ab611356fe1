/** One setting: where it can be given, and what it may be. */
export interface ConfigOption {
  /** Path in the JSON configuration, with dots. */
  readonly key: string
  /** Without the leading dashes. */
  readonly flag: string
  readonly env: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'json'
  /** What stands for the value in the help. */
  readonly argument?: string
  readonly description: string
  readonly default?: unknown
  /** Where an absent value comes from, in words. */
  readonly fallback?: string
  /** What is expected, in words, where the bounds do not say it. */
  readonly expected?: string
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  /** Of a text, or of each text of a list. */
  readonly minLength?: number
  readonly maxLength?: number
  readonly allowedValues?: readonly string[]
  /** Never shown in a message. */
  readonly isSecret?: boolean
}
