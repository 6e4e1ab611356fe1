import { LaneHeap } from './lane-heap.ts'
import type { Lane } from './lane-heap.ts'
import { taskCost } from './task-cost.ts'
import type { TaskEntry } from './task-entry.ts'

/** Empty lanes are looked through when there are as many as there were left twice over, and never for fewer. */
const minIdle = 16

/**
 * Waiting tasks, given out fairly between accounts: next comes the account that has been given the least work
 * (start-time fair queueing: an account that comes anew starts at the present virtual time, so idle time cannot be saved up,
 * and an account whose lane ran empty is remembered for as long as it is ahead of that time, so short lanes win nothing).
 */
export class FairBacklog {
  readonly #lanes = new Map<string, Lane>()
  /** Lanes with tasks. */
  readonly #waiting = new LaneHeap()
  /** Lanes without. */
  readonly #idle = new Set<Lane>()
  #maxIdle = minIdle
  #size = 0
  #virtualTime = 0

  get size(): number {
    return this.#size
  }

  sizeOf(account: string): number {
    const lane = this.#lanes.get(account)
    return lane ? lane.returned.size + lane.fresh.size : 0
  }

  add(entry: TaskEntry): void {
    const lane = this.#lane(entry.record.key.account)
    lane.fresh.add(entry)
    this.#grew(lane)
  }

  /** Puts a task that was given out back in front, and its account's bill back to what it was. */
  giveBack(entry: TaskEntry): void {
    const lane = this.#lane(entry.record.key.account)
    lane.returned.add(entry)
    lane.served -= taskCost(entry.record)
    this.#waiting.update(lane)
    this.#grew(lane)
  }

  remove(entry: TaskEntry): boolean {
    const lane = this.#lanes.get(entry.record.key.account)
    if (!lane) return false
    const wasThere = lane.returned.delete(entry) || lane.fresh.delete(entry)
    if (wasThere) this.#shrank(lane)
    return wasThere
  }

  /** The task whose turn it is among the accounts that are wanted, or undefined. It stays until removed by `take`. */
  peek(isWanted: (account: string) => boolean = () => true): TaskEntry | undefined {
    const lane = this.#waiting.find(({ account }) => isWanted(account))
    return lane && firstOf(lane)
  }

  /** Removes a task that is waiting and charges its account. */
  take(entry: TaskEntry): void {
    const lane = this.#lanes.get(entry.record.key.account)
    if (!lane) return
    this.#virtualTime = Math.max(this.#virtualTime, this.#waiting.first?.served ?? 0)
    lane.served += taskCost(entry.record)
    this.#waiting.update(lane)
    this.remove(entry)
  }

  #lane(account: string): Lane {
    const known = this.#lanes.get(account)
    if (known) {
      if (known.place === undefined) known.served = Math.max(known.served, this.#virtualTime)
      return known
    }
    const lane: Lane = { account, returned: new Set(), fresh: new Set(), served: this.#virtualTime, place: undefined, arrival: 0 }
    this.#lanes.set(account, lane)
    return lane
  }

  #grew(lane: Lane): void {
    this.#size++
    if (lane.place !== undefined) return
    this.#idle.delete(lane)
    this.#waiting.add(lane)
  }

  #shrank(lane: Lane): void {
    this.#size--
    if (lane.returned.size + lane.fresh.size > 0) return
    this.#waiting.remove(lane)
    this.#idle.add(lane)
    if (this.#size === 0) this.#forgetAll()
    else if (this.#idle.size >= this.#maxIdle) this.#forgetIdle()
  }

  /** Nobody waits, so nobody is ahead of anybody. */
  #forgetAll(): void {
    this.#lanes.clear()
    this.#idle.clear()
    this.#maxIdle = minIdle
    this.#virtualTime = 0
  }

  /** Done rarely enough that a task pays the same however many accounts there are. */
  #forgetIdle(): void {
    for (const lane of this.#idle) {
      if (lane.served > this.#virtualTime) continue
      this.#idle.delete(lane)
      this.#lanes.delete(lane.account)
    }
    this.#maxIdle = Math.max(minIdle, 2 * this.#idle.size)
  }
}

function firstOf(lane: Lane): TaskEntry | undefined {
  for (const entry of lane.returned.values()) return entry
  for (const entry of lane.fresh.values()) return entry
  return undefined
}
