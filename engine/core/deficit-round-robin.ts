/** What takes part in a turn. */
export interface Contender {
  readonly key: string
  /** Its share of the device relative to the others'. */
  readonly weight: number
}

/**
 * Shares the device between keys by what they have received, not by how often they were asked.
 *
 * Deficit round robin (Shreedhar and Varghese, 1995) without a fixed quantum: a key's deficit is what it has received
 * less than the others in proportion to its weight, and the largest deficit goes first. Among keys of equal cost
 * this is round robin; a key that asks for cheap steps gets more of them. Idle keys earn nothing: one that comes
 * (back) starts level with the one that is due. A key waits for at most one run of each of the others, so none starves.
 */
export class DeficitRoundRobin {
  /** Received cost over weight; the Map's order is the order of the last turns. */
  readonly #received = new Map<string, number>()

  /** Forgets the keys that are no longer active, and lets new ones in. */
  retain(active: ReadonlySet<string>): void {
    for (const key of this.#received.keys()) if (!active.has(key)) this.#received.delete(key)
    const least = this.#least()
    // Counted from the least served, so that the numbers stay small for as long as the process lives.
    for (const [key, received] of this.#received) this.#received.set(key, received - least)
    for (const key of active) if (!this.#received.has(key)) this.#received.set(key, 0)
  }

  /** The active keys, the one with the largest deficit first; among equals the one whose last turn is longest ago. */
  order(): readonly string[] {
    return [...this.#received].sort(([, a], [, b]) => a - b).map(([key]) => key)
  }

  /** Notes that an active key has received `cost`. */
  charge({ key, weight }: Contender, cost: number): void {
    const received = this.#received.get(key)
    if (received === undefined) return
    // Set anew, so that the key moves behind its equals.
    this.#received.delete(key)
    this.#received.set(key, received + cost / weight)
  }

  #least(): number {
    let least = Infinity
    for (const received of this.#received.values()) least = Math.min(least, received)
    return least === Infinity ? 0 : least
  }
}
