/** Items that the sessions of each account owe or have reserved, with one cap for each account. */
export class AccountQuota {
  readonly #max: number
  readonly #used = new Map<string, number>()

  constructor(maxItemsPerAccount: number) {
    this.#max = maxItemsPerAccount
  }

  /** Takes `items` of the account's share, or nothing when they do not fit. */
  take(account: string, items: number): boolean {
    const used = (this.#used.get(account) ?? 0) + items
    if (used > this.#max) return false
    this.#used.set(account, used)
    return true
  }

  give(account: string, items: number): void {
    const used = (this.#used.get(account) ?? 0) - items
    if (used < 0) throw new Error('More was given back than was taken')
    if (used === 0) this.#used.delete(account)
    else this.#used.set(account, used)
  }

  /** All items of all accounts. */
  get size(): number {
    return [...this.#used.values()].reduce((sum, used) => sum + used, 0)
  }
}
