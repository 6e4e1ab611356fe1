import { taskCost } from './task-cost.ts'
import type { TaskEntry } from './task-entry.ts'

/** One account's waiting tasks. Sets keep the order of insertion and forget in constant time. */
interface Lane {
  readonly account: string
  /** Tasks that were given back; they go first. */
  readonly returned: Set<TaskEntry>
  readonly fresh: Set<TaskEntry>
  /** Virtual time up to which this account has had its share. */
  served: number
}

/**
 * Waiting tasks, given out fairly between accounts: next comes the account that has been given the least work
 * (start-time fair queueing: an account that comes anew starts at the present virtual time, so idle time cannot be saved up,
 * and an account whose lane ran empty is remembered for as long as it is ahead of that time, so short lanes win nothing).
 */
export class FairBacklog {
  readonly #lanes = new Map<string, Lane>()
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
    this.#lane(entry.record.key.account).fresh.add(entry)
    this.#size++
  }

  /** Puts a task that was given out back in front, and its account's bill back to what it was. */
  giveBack(entry: TaskEntry): void {
    const lane = this.#lane(entry.record.key.account)
    lane.returned.add(entry)
    lane.served -= taskCost(entry.record)
    this.#size++
  }

  remove(entry: TaskEntry): boolean {
    const lane = this.#lanes.get(entry.record.key.account)
    if (!lane) return false
    const wasThere = lane.returned.delete(entry) || lane.fresh.delete(entry)
    if (wasThere) this.#size--
    this.#forgetEmptyLanes()
    return wasThere
  }

  /** The task whose turn it is, or undefined. It stays until removed by `take`. */
  peek(): TaskEntry | undefined {
    const lane = this.#leastServed()
    return lane && firstOf(lane)
  }

  /** Removes the task whose turn it is and charges its account. */
  take(): TaskEntry | undefined {
    const lane = this.#leastServed()
    if (!lane) return undefined
    const entry = firstOf(lane)
    if (!entry) return undefined
    this.#virtualTime = Math.max(this.#virtualTime, lane.served)
    lane.served += taskCost(entry.record)
    this.remove(entry)
    return entry
  }

  #leastServed(): Lane | undefined {
    let least: Lane | undefined
    for (const lane of this.#lanes.values()) {
      if (isEmpty(lane)) continue
      if (!least || lane.served < least.served) least = lane
    }
    return least
  }

  #lane(account: string): Lane {
    const known = this.#lanes.get(account)
    if (known) return known
    const lane: Lane = { account, returned: new Set(), fresh: new Set(), served: this.#virtualTime }
    this.#lanes.set(account, lane)
    return lane
  }

  #forgetEmptyLanes(): void {
    for (const lane of this.#lanes.values()) {
      if (isEmpty(lane) && (this.#size === 0 || lane.served <= this.#virtualTime)) this.#lanes.delete(lane.account)
    }
    if (this.#size === 0) this.#virtualTime = 0
  }
}

function isEmpty(lane: Lane): boolean {
  return lane.returned.size + lane.fresh.size === 0
}

function firstOf(lane: Lane): TaskEntry | undefined {
  for (const entry of lane.returned.values()) return entry
  for (const entry of lane.fresh.values()) return entry
  return undefined
}
