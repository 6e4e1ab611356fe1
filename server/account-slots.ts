/** Of all places, what one account may have: the rest is there at once for whoever else comes. */
const maxShare = 3 / 4

/** An account's jobs. */
interface Account {
  held: number
  readonly waiting: (() => void)[]
}

/** A fixed number of places for jobs of accounts. No account can have all of them, and whoever has the fewest gets the next one. */
export class AccountSlots {
  readonly #maxPerAccount: number
  /** Accounts that have or want places; the one that got its last place longest ago comes first. */
  readonly #accounts = new Map<string, Account>()
  #free: number

  constructor(count: number) {
    this.#free = count
    this.#maxPerAccount = Math.max(1, Math.floor(count * maxShare))
  }

  /** Runs a job once a place is free for its account; the place is free again when it ends. */
  async use<T>(account: string, job: () => Promise<T>): Promise<T> {
    const own = this.#accounts.get(account) ?? { held: 0, waiting: [] }
    this.#accounts.set(account, own)
    await new Promise<void>(resolve => {
      own.waiting.push(resolve)
      this.#giveOut()
    })
    try {
      return await job()
    } finally {
      own.held--
      this.#free++
      if (own.held === 0 && own.waiting.length === 0) this.#accounts.delete(account)
      this.#giveOut()
    }
  }

  #giveOut(): void {
    while (this.#free > 0) {
      const [account, own] = this.#next() ?? []
      if (account === undefined || own === undefined) return
      this.#free--
      own.held++
      this.#accounts.delete(account)
      this.#accounts.set(account, own)
      own.waiting.shift()?.()
    }
  }

  #next(): readonly [string, Account] | undefined {
    let next: readonly [string, Account] | undefined
    for (const entry of this.#accounts) {
      const [, { held, waiting }] = entry
      if (waiting.length > 0 && held < this.#maxPerAccount && (!next || held < next[1].held)) next = entry
    }
    return next
  }
}
