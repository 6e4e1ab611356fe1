import type { TaskEntry } from './task-entry.ts'

/** One account's waiting tasks. Sets keep the order of insertion and forget in constant time. */
export interface Lane {
  readonly account: string
  /** Tasks that were given back; they go first. */
  readonly returned: Set<TaskEntry>
  readonly fresh: Set<TaskEntry>
  /** Virtual time up to which this account has had its share. */
  served: number
  /** Its place in the heap; undefined where it is not in one. */
  place: number | undefined
  /** Order in which lanes came into the heap; decides between those that have had the same. */
  arrival: number
}

/** Lanes in the order of what their accounts have had: finding the least served takes no time, every change the logarithm of their number. */
export class LaneHeap {
  /** A binary heap: the children of place i are at 2i + 1 and 2i + 2. */
  readonly #lanes: Lane[] = []
  #arrivals = 0

  get first(): Lane | undefined {
    return this.#lanes[0]
  }

  add(lane: Lane): void {
    lane.arrival = this.#arrivals++
    this.#insert(lane)
  }

  remove(lane: Lane): void {
    const last = this.#lanes.pop()
    if (last && last !== lane) {
      this.#put(last, lane.place as number)
      this.update(last)
    }
    lane.place = undefined
  }

  /** Puts a lane where it belongs after what it has had has changed. */
  update(lane: Lane): void {
    if (lane.place === undefined) return
    this.#rise(lane)
    this.#sink(lane)
  }

  /** The least served lane that is wanted; costs as much as there are lanes before it that are not. */
  find(isWanted: (lane: Lane) => boolean): Lane | undefined {
    const passed: Lane[] = []
    let found = this.first
    while (found && !isWanted(found)) {
      passed.push(found)
      this.remove(found)
      found = this.first
    }
    for (const lane of passed) this.#insert(lane)
    return found
  }

  #insert(lane: Lane): void {
    lane.place = this.#lanes.length
    this.#lanes.push(lane)
    this.#rise(lane)
  }

  #rise(lane: Lane): void {
    while ((lane.place as number) > 0) {
      const parent = this.#lanes[((lane.place as number) - 1) >> 1] as Lane
      if (!isBefore(lane, parent)) return
      this.#swap(lane, parent)
    }
  }

  #sink(lane: Lane): void {
    for (;;) {
      const place = lane.place as number
      let least = lane
      for (const child of [this.#lanes[2 * place + 1], this.#lanes[2 * place + 2]]) {
        if (child && isBefore(child, least)) least = child
      }
      if (least === lane) return
      this.#swap(lane, least)
    }
  }

  #swap(a: Lane, b: Lane): void {
    const place = a.place as number
    this.#put(a, b.place as number)
    this.#put(b, place)
  }

  #put(lane: Lane, place: number): void {
    lane.place = place
    this.#lanes[place] = lane
  }
}

function isBefore(a: Lane, b: Lane): boolean {
  return a.served < b.served || (a.served === b.served && a.arrival < b.arrival)
}
