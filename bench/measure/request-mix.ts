import { seededRandom } from './random.ts'

/** Parameters of an imageInference task as a client writes them. */
export type TaskFields = Readonly<Record<string, unknown>>

/** A kind of request and how often it comes. */
export interface MixEntry {
  readonly weight: number
  readonly task: TaskFields
}

/** One request of a mix, and which kind it is of. */
export interface MixedRequest {
  readonly kind: number
  readonly task: TaskFields
}

/** Draws requests from a mix by their weights, each with a seed of its own. The same seed gives the same requests. */
export function drawRequests(mix: readonly MixEntry[], count: number, seed: number): readonly MixedRequest[] {
  const total = mix.reduce((sum, { weight }) => sum + weight, 0)
  if (!(total > 0)) throw new RangeError('A mix has to have something in it')
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, index) => {
    let left = random() * total
    const found = mix.findIndex(({ weight }) => (left -= weight) < 0)
    const kind = found < 0 ? mix.length - 1 : found
    return { kind, task: { seed: index + 1, ...mix[kind]?.task } }
  })
}

/** The same requests, those of one kind together. */
export function sortByKind(requests: readonly MixedRequest[]): readonly (readonly MixedRequest[])[] {
  const groups = new Map<number, MixedRequest[]>()
  for (const request of requests) {
    const group = groups.get(request.kind)
    if (group) group.push(request)
    else groups.set(request.kind, [request])
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group)
}
