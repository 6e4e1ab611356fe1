/** What the schemas say of one parameter, for reading it and for describing a wrong value. */
export interface ParameterRule {
  readonly type: string
  readonly minimum?: number
  readonly maximum?: number
  readonly multipleOf?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly allowedValues?: readonly string[]
  readonly default?: unknown
  /** What is expected, in words, where the bounds do not say it. */
  readonly expected?: string
  /** A value of the wrong form counts as absent. */
  readonly isLenient?: boolean
  /** A single value is taken for a list of one. */
  readonly isList?: boolean
  /** Letters of either case match the allowed values. */
  readonly isAnyCase?: boolean
  readonly isAbsentWhenEmpty?: boolean
  /** Never shown in a message. */
  readonly isSecret?: boolean
  /** What an object, or each object of a list, may hold. */
  readonly parameters?: Readonly<Record<string, ParameterRule>>
}

/** What a task type takes. */
export interface ParameterTable {
  readonly parameters: Readonly<Record<string, ParameterRule>>
  /** Known parameters whose function is missing, with dots where they are inside others: refused by name unless their value asks for nothing. */
  readonly unsupported: readonly string[]
}
