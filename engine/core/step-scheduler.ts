import {
  batchKeyOf, cellsOf, checkCost, checkCostInCells, checkKeyOf, costLeft, decodeCost, decodeCostInRows, decodeKeyOf, encodeImageCost,
  encodeImageCostInRows, imageRowCap, rowsOf, stepCost, wholeCost, type ReadyGeneration,
} from './batcher.ts'
import { DeficitRoundRobin } from './deficit-round-robin.ts'
import type { Generation } from './generation.ts'
import { OwnerShares } from './owner-shares.ts'
import type { RowCaps } from './row-caps.ts'
import { pickRows } from './row-picker.ts'
import type { StepPlan, WorkPlan } from './step-plan.ts'

/** Generations of one batch key, or one key of decoding or checking, in the order they came. */
interface Lane {
  readonly key: string
  readonly generations: readonly ReadyGeneration[]
}

/**
 * Decides what the next step runs. It runs nothing itself, so its decisions can be tested as values.
 *
 * Denoising: batch keys take turns by deficit round robin, each weighted by the owners that wait for it, and within a
 * batch key owners take turns for the rows (see `pickRows` and `OwnerShares`). Encoding, decoding and checking go first, because
 * they let a generation join or leave, of the owner first that has received least; but after one run of each a denoise run is due, so neither can starve it.
 */
export class StepScheduler {
  readonly #rowCaps: RowCaps
  readonly #lanes = new DeficitRoundRobin()
  readonly #owners = new OwnerShares()
  /** By batch key: who was due but passed over for want of rows, until it has run. */
  readonly #passedOver = new Map<string, Generation>()
  /** What has run since the last denoise run. */
  readonly #sinceDenoise = new Set<WorkPlan['type']>()

  constructor(rowCaps: RowCaps) {
    this.#rowCaps = rowCaps
  }

  /** Plans one step over the generations inside; those whose model is not loaded yet are left out. */
  plan(generations: Iterable<Generation>): StepPlan {
    const ready: ReadyGeneration[] = []
    const undenoised: ReadyGeneration[] = []
    const undecoded: ReadyGeneration[] = []
    const unchecked: ReadyGeneration[] = []
    for (const generation of generations) {
      if (!isReady(generation)) continue
      ready.push(generation)
      if (!generation.isDenoised) undenoised.push(generation)
      else if (generation.uncheckedImage === undefined) undecoded.push(generation)
      else unchecked.push(generation)
    }
    const lanes = lanesOf(undenoised)
    this.#retain(ready, lanes)
    const plan = this.#choose(unchecked, undecoded, lanes)
    if (plan.type === 'denoise' || plan.type === 'idle') this.#sinceDenoise.clear()
    else this.#sinceDenoise.add(plan.type)
    return plan
  }

  #choose(unchecked: readonly ReadyGeneration[], undecoded: readonly ReadyGeneration[], lanes: ReadonlyMap<string, Lane>): StepPlan {
    if (undecoded.length > 0 && !this.#sinceDenoise.has('decode')) return this.#planDecode(undecoded)
    if (unchecked.length > 0 && !this.#sinceDenoise.has('checkContent')) return this.#planCheck(unchecked)
    for (const key of this.#lanes.order()) {
      const lane = lanes.get(key) as Lane
      const encoding = this.#planEncode(lane, this.#pick(lane).filter((generation) => !generation.isPrepared))
      if (encoding !== undefined) return encoding
      const prepared = lane.generations.filter((generation) => generation.isPrepared)
      if (prepared.length > 0) return this.#planDenoise(lane, this.#pick({ key, generations: prepared }), lanes)
    }
    // Nothing can be denoised, so nothing starves if encoding, decoding or checking runs again.
    this.#sinceDenoise.clear()
    const [lane] = lanes.values()
    if (lane !== undefined) return this.#planEncode(lane, this.#pick(lane)) ?? { type: 'idle' }
    if (undecoded.length > 0) return this.#planDecode(undecoded)
    return unchecked.length > 0 ? this.#planCheck(unchecked) : { type: 'idle' }
  }

  #pick({ key, generations }: Lane): readonly ReadyGeneration[] {
    const first = this.#passedOver.get(key)
    const { generations: picked, passedOver } = pickRows(generations, this.#denoiseCap(key, generations), this.#rankOf, first)
    if (first === undefined && passedOver !== undefined) this.#passedOver.set(key, passedOver)
    return picked
  }

  readonly #rankOf = (generation: ReadyGeneration) => this.#owners.rank(generation.owner, costLeft(generation))

  #denoiseCap(key: string, [first]: readonly ReadyGeneration[]): number {
    return this.#rowCaps.get('denoise', key, first && cellsOf(first))
  }

  /** What lets these generations start: first the pictures of those that have some, then the prompts of all that are ready for it. */
  #planEncode({ key }: Lane, generations: readonly ReadyGeneration[]): WorkPlan | undefined {
    const withImages = generations.filter((generation) => generation.needsImages)
    if (withImages.length > 0 && !this.#sinceDenoise.has('encodeImage')) {
      for (const generation of withImages) this.#owners.charge(generation.owner, encodeImageCost(generation))
      const first = withImages[0] as ReadyGeneration
      const cap = Math.min(this.#rowCaps.get('encodeImage', key, encodeImageCostInRows * cellsOf(first)), imageRowCap(first))
      return { type: 'encodeImage', batchKey: key, generations: withImages, maxRows: cap }
    }
    const ready = generations.filter((generation) => !generation.needsImages)
    if (ready.length === 0 || this.#sinceDenoise.has('encodePrompt')) return undefined
    return { type: 'encodePrompt', batchKey: key, generations: ready, maxRows: this.#rowCaps.get('encodePrompt', key) }
  }

  #planDenoise({ key }: Lane, generations: readonly ReadyGeneration[], lanes: ReadonlyMap<string, Lane>): WorkPlan {
    let total = 0
    for (const generation of generations) {
      const cost = stepCost(generation, rowsOf(generation))
      this.#owners.charge(generation.owner, cost)
      total += cost
      if (generation === this.#passedOver.get(key)) this.#passedOver.delete(key)
    }
    // Alone, a lane has nobody to share with.
    const weight = lanes.size === 1 ? 1 : (laneWeights(lanes).get(key) ?? 1)
    this.#lanes.charge({ key, weight }, total)
    return { type: 'denoise', batchKey: key, generations, maxRows: this.#denoiseCap(key, generations) }
  }

  /** The picture of the owner that has received least, and others that may share its run of the VAE. */
  #planDecode(denoised: readonly ReadyGeneration[]): WorkPlan {
    const lane = lanesOf(this.#leastReceivedFirst(denoised), decodeKeyOf).values().next().value as Lane
    const first = lane.generations[0] as ReadyGeneration
    const cap = Math.min(this.#rowCaps.get('decode', lane.key, decodeCostInRows * cellsOf(first)), imageRowCap(first))
    const generations = lane.generations.slice(0, cap)
    for (const generation of generations) this.#owners.charge(generation.owner, decodeCost(generation))
    return { type: 'decode', batchKey: lane.key, generations, maxRows: cap }
  }

  /** The picture of the owner that has received least, and others that the same checker judges. */
  #planCheck(unchecked: readonly ReadyGeneration[]): WorkPlan {
    const { key, generations } = lanesOf(this.#leastReceivedFirst(unchecked), checkKeyOf).values().next().value as Lane
    const maxRows = this.#rowCaps.get('checkContent', key, checkCostInCells)
    const picked = generations.slice(0, maxRows)
    for (const generation of picked) this.#owners.charge(generation.owner, checkCost(generation))
    return { type: 'checkContent', batchKey: key, generations: picked, maxRows }
  }

  /** In the order they came where their owners have received the same. */
  #leastReceivedFirst(generations: readonly ReadyGeneration[]): readonly ReadyGeneration[] {
    return [...generations].sort((a, b) => this.#owners.received(a.owner) - this.#owners.received(b.owner))
  }

  #retain(ready: readonly ReadyGeneration[], lanes: ReadonlyMap<string, Lane>): void {
    this.#lanes.retain(new Set(lanes.keys()))
    this.#owners.retain(costsByOwner(ready))
    for (const [key, generation] of this.#passedOver) {
      if (!lanes.get(key)?.generations.some((each) => each === generation)) this.#passedOver.delete(key)
    }
  }
}

/** What the oldest generation of each owner costs. */
function costsByOwner(generations: readonly ReadyGeneration[]): ReadonlyMap<string, number> {
  const costs = new Map<string, number>()
  for (const generation of generations) if (!costs.has(generation.owner)) costs.set(generation.owner, wholeCost(generation))
  return costs
}

function isReady(generation: Generation): generation is ReadyGeneration {
  return generation.pipeline !== undefined && !generation.isFinished
}

/** Groups generations by what must be equal, in the order they came. */
function lanesOf(generations: readonly ReadyGeneration[], keyOf = batchKeyOf): ReadonlyMap<string, Lane> {
  const lanes = new Map<string, { readonly key: string; readonly generations: ReadyGeneration[] }>()
  for (const generation of generations) {
    const key = keyOf(generation)
    const lane = lanes.get(key)
    if (lane === undefined) lanes.set(key, { key, generations: [generation] })
    else lane.generations.push(generation)
  }
  return lanes
}

/** Each owner brings one share, divided between the batch keys where it has work. */
function laneWeights(lanes: ReadonlyMap<string, Lane>): ReadonlyMap<string, number> {
  const ownersOf = new Map([...lanes.values()].map(({ key, generations }) => [key, new Set(generations.map(({ owner }) => owner))]))
  const lanesPerOwner = new Map<string, number>()
  for (const owners of ownersOf.values()) {
    for (const owner of owners) lanesPerOwner.set(owner, (lanesPerOwner.get(owner) ?? 0) + 1)
  }
  return new Map(
    [...ownersOf].map(([key, owners]) => [key, [...owners].reduce((sum, owner) => sum + 1 / (lanesPerOwner.get(owner) ?? 1), 0)]),
  )
}
