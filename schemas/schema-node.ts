/** The part of JSON Schema that the files in this folder use, with this project's annotations. */
export interface SchemaNode {
  readonly $id?: string
  readonly $ref?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: boolean | SchemaNode
  readonly definitions?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly multipleOf?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  /** A value of the wrong form counts as absent. */
  readonly 'x-lenient'?: boolean
  /** A single value is taken for a list of one. */
  readonly 'x-list'?: boolean
  /** Letters of either case match the enumeration. */
  readonly 'x-anyCase'?: boolean
  /** The empty string counts as absent. */
  readonly 'x-emptyIsAbsent'?: boolean
  /** Never shown in a message. */
  readonly 'x-secret'?: boolean
  /** What was expected, in words, where the keywords do not say it. */
  readonly 'x-expected'?: string
  /** Where an absent value comes from, in words. */
  readonly 'x-fallback'?: string
  /** Known parameters whose function is missing. */
  readonly 'x-unsupported'?: readonly string[]
  readonly 'x-flag'?: string
  readonly 'x-env'?: string
  readonly 'x-argument'?: string
  /** The whole object is one setting, given as JSON text. */
  readonly 'x-json'?: boolean
}

/** Annotations that the validator must accept and ignore. */
export const annotations = [
  'x-lenient', 'x-list', 'x-anyCase', 'x-emptyIsAbsent', 'x-secret', 'x-expected', 'x-fallback', 'x-unsupported',
  'x-flag', 'x-env', 'x-argument', 'x-json', 'tsType',
] as const

/** Replaces each `$ref` by the definition it names in the common schema; keywords beside it win. */
export function resolveRefs(node: SchemaNode, common: SchemaNode): SchemaNode {
  const { $ref, ...own } = node
  const name = $ref?.split('/').at(-1)
  const target = name === undefined ? {} : common.definitions?.[name]
  if (target === undefined) throw new Error(`no definition ${$ref}`)
  const merged: SchemaNode = { ...target, ...own }
  return mapChildren(merged, child => resolveRefs(child, common))
}

/** A copy whose properties and items are `map`ped. */
export function mapChildren(node: SchemaNode, map: (child: SchemaNode) => SchemaNode): SchemaNode {
  const properties = node.properties && Object.fromEntries(Object.entries(node.properties).map(([key, child]) => [key, map(child)]))
  return { ...node, ...(properties && { properties }), ...(node.items && { items: map(node.items) }) }
}

/** The parameters inside a parameter: those of an object, or of each object of a list. */
export function innerProperties(node: SchemaNode): Readonly<Record<string, SchemaNode>> | undefined {
  return node.properties ?? node.items?.properties
}

/** A copy in which every property with a default is required: the shape after validation. */
export function afterDefaults(node: SchemaNode): SchemaNode {
  const properties = Object.entries(node.properties ?? {})
  const required = properties.filter(([key, child]) => node.required?.includes(key) || child.default !== undefined).map(([key]) => key)
  const extra = typeof node.additionalProperties === 'object' ? { additionalProperties: afterDefaults(node.additionalProperties) } : {}
  return { ...mapChildren(node, afterDefaults), ...extra, ...(node.properties && { required }) }
}
