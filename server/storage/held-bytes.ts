interface Holding {
  readonly account: string
  readonly bytes: number
  readonly expiresAt: number
}

/** A file takes at least a block of its disk. */
const minBytes = 4096

/** Counts what accounts hold until it expires, so that each can be kept below a cap. */
export class HeldBytes {
  readonly #maxPerAccount: number
  readonly #holdings = new Map<string, Holding>()
  readonly #totals = new Map<string, number>()

  constructor(maxPerAccount: number) {
    this.#maxPerAccount = maxPerAccount
  }

  /** Counts a file under its id, in place of what that id stood for; false when it would be too much, and then nothing changes. */
  take(id: string, account: string, size: number, expiresAt: number): boolean {
    const bytes = Math.max(minBytes, size)
    const before = this.#holdings.get(id)?.bytes ?? 0
    const total = (this.#totals.get(account) ?? 0) - before + bytes
    if (total > this.#maxPerAccount) return false
    this.#holdings.set(id, { account, bytes, expiresAt })
    this.#totals.set(account, total)
    return true
  }

  /** Forgets a file that could not be kept. */
  drop(id: string): void {
    const holding = this.#holdings.get(id)
    if (!holding) return
    this.#holdings.delete(id)
    const left = (this.#totals.get(holding.account) ?? 0) - holding.bytes
    if (left > 0) this.#totals.set(holding.account, left)
    else this.#totals.delete(holding.account)
  }

  /** Forgets what has expired. */
  sweep(now: number): void {
    for (const [id, { expiresAt }] of this.#holdings) if (expiresAt <= now) this.drop(id)
  }
}
