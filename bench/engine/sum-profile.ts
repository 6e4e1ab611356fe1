/** What a profile of the runtime adds up to; ms a run, the largest first. */
export interface ProfileSums {
  readonly nodesMs: number
  /** By operator. */
  readonly operators: ReadonlyMap<string, number>
  /** By the part of the network that a node's name begins with. */
  readonly parts: ReadonlyMap<string, number>
}

interface ProfileEvent {
  readonly cat?: string
  readonly name?: string
  /** Microseconds. */
  readonly dur?: number
  readonly ts?: number
  readonly args?: { readonly op_name?: string }
}

const kernelTime = '_kernel_time'

/** Adds up the operators of the last `runs` runs in the runtime's trace. */
export function sumProfile(text: string, runs: number): ProfileSums {
  const events = JSON.parse(text) as readonly ProfileEvent[]
  const starts = events.filter(({ name }) => name === 'model_run').map(({ ts = 0 }) => ts).sort((a, b) => a - b)
  if (starts.length < runs) throw new RangeError(`The profile has ${starts.length} runs, not ${runs}`)
  const from = starts.at(-runs) as number
  const operators = new Map<string, number>()
  const parts = new Map<string, number>()
  let nodesMs = 0
  for (const { cat, name = '', dur = 0, ts = 0, args } of events) {
    if (cat !== 'Node' || !name.endsWith(kernelTime) || ts < from) continue
    const ms = dur / 1000 / runs
    nodesMs += ms
    add(operators, args?.op_name ?? 'unknown', ms)
    add(parts, partOf(name.slice(0, -kernelTime.length)), ms)
  }
  return { nodesMs, operators: largestFirst(operators), parts: largestFirst(parts) }
}

/** `down_blocks.0/attentions.1/…` → `down_blocks.0`; what stands outside of all blocks, or was renamed by a fusion, has no such part. */
function partOf(node: string): string {
  return node.includes('/') ? node.slice(0, node.indexOf('/')) : 'outside of blocks'
}

function add(sums: Map<string, number>, key: string, ms: number): void {
  sums.set(key, (sums.get(key) ?? 0) + ms)
}

function largestFirst(sums: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...sums].sort(([, a], [, b]) => b - a))
}
