/** An owner that is inside, or was and is remembered. */
interface Share {
  /** Counted from where the least served owner is, or would be if it had not been away. */
  received: number
  /** What a whole generation of this owner costs. */
  cost: number
}

/**
 * Shares the device between owners by what each has received.
 *
 * What an owner has received plus what is left of a generation is when that generation would end if all owners took turns, and who
 * would end first goes first (weighted fair queueing: Demers, Keshav and Shenker, 1989). So nobody ends later than by taking
 * turns, give or take a run; short generations do not wait for long ones; and among equals what is begun is finished.
 * Nobody gets further ahead than by one generation (the idea of WF²Q: Bennett and Zhang, 1996), or a long one would have
 * to catch up in one go.
 *
 * Who comes (back) starts behind the others by one generation, the smallest there is, so that who asks rarely does not wait for
 * those who always ask. Owners that went away are remembered until the others have received as much as their
 * generations cost, so coming and going wins nothing.
 */
export class OwnerShares {
  readonly #shares = new Map<string, Share>()
  #inside: ReadonlySet<string> = new Set()
  /** What the least served owner inside has received. */
  #least = 0

  /** Takes note of who is inside, and what a whole generation of each costs. */
  retain(costs: ReadonlyMap<string, number>): void {
    const stayed = [...costs.keys()].filter((owner) => this.#inside.has(owner))
    if (stayed.length === 0) this.#shares.clear()
    else this.#countFrom(Math.max(0, Math.min(...stayed.map((owner) => this.received(owner)))))
    const credit = stayed.length === 0 ? 0 : Math.min(...stayed.map((owner) => costs.get(owner) as number))
    for (const [owner, cost] of costs) {
      const { received = -Infinity } = this.#shares.get(owner) ?? {}
      this.#shares.set(owner, { cost, received: this.#inside.has(owner) ? received : Math.max(received, -Math.min(credit, cost)) })
    }
    this.#inside = new Set(costs.keys())
    this.#least = Math.min(...[...this.#inside].map((owner) => this.received(owner)))
    for (const [owner, { received, cost }] of this.#shares) {
      if (!this.#inside.has(owner) && received <= -cost) this.#shares.delete(owner)
    }
  }

  /** What an owner inside has received, in relation to the others. */
  received(owner: string): number {
    return this.#shares.get(owner)?.received ?? 0
  }

  /** What decides who goes first, the most important number first and the smaller one before the larger. */
  rank(owner: string, left: number): readonly [isAhead: number, end: number] {
    const { received, cost } = this.#shares.get(owner) ?? { received: 0, cost: 0 }
    return [received - this.#least >= cost ? 1 : 0, received + left]
  }

  /** Notes that an owner inside has received `cost`. */
  charge(owner: string, cost: number): void {
    const share = this.#shares.get(owner)
    if (share) share.received += cost
  }

  /** Numbers stay small, and so exact, for as long as the process lives. */
  #countFrom(level: number): void {
    if (level > 0) for (const share of this.#shares.values()) share.received -= level
  }
}
