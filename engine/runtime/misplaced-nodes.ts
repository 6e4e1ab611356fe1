/** Largest tensor that counts as a shape. */
const MAX_SHAPE_ELEMENTS = 16
const SHAPE_TYPES = ['int64', 'int32']

/** One entry per output: its dims under the name of its type. */
type TypedShapes = readonly Readonly<Record<string, readonly number[]>>[]

/** The part of the profiler's record of a node that is looked at. */
interface NodeEvent {
  readonly cat: string
  readonly name: string
  readonly args?: { readonly op_name?: string; readonly provider?: string; readonly output_type_shape?: TypedShapes }
}

/**
 * The nodes of a profiled run that another provider than `provider` computed, and copies between providers.
 * Nodes that only compute shapes belong on the processor: shapes are known to the host.
 *
 * @param profile JSON as the runtime's profiler writes it
 */
export function misplacedNodes(profile: string, provider: string): readonly string[] {
  const events = JSON.parse(profile) as readonly NodeEvent[]
  const names = new Set<string>()
  for (const { cat, name, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time') || !args?.provider) continue
    const isCopy = args.op_name?.startsWith('Memcpy') ?? false
    const isElsewhere = args.provider !== provider && !isShape(args.output_type_shape)
    if (isCopy || isElsewhere) names.add(`${args.op_name} ${name.slice(0, -'_kernel_time'.length)}`)
  }
  return [...names]
}

function isShape(outputs: TypedShapes = []): boolean {
  return outputs.length > 0 && outputs.every(output => Object.entries(output).every(([type, dims]) =>
    SHAPE_TYPES.includes(type) && dims.reduce((a, b) => a * b, 1) <= MAX_SHAPE_ELEMENTS))
}
