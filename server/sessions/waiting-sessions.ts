import type { Session } from './session.ts'

/** What is looked at of a session. */
export type WaitingSession = Pick<Session, 'account' | 'size'>

/**
 * Sessions whose client is away, in the order in which it left: whoever looks for those that wait longest, of all or of
 * one account, looks at no others.
 */
export class WaitingSessions<T extends WaitingSession> {
  readonly #all = new Set<T>()
  readonly #byAccount = new Map<string, Set<T>>()

  get size(): number {
    return this.#all.size
  }

  /** Puts a session at the end. */
  add(session: T): void {
    this.delete(session)
    this.#all.add(session)
    const ofAccount = this.#byAccount.get(session.account)
    if (ofAccount) ofAccount.add(session)
    else this.#byAccount.set(session.account, new Set([session]))
  }

  delete(session: T): void {
    this.#all.delete(session)
    const ofAccount = this.#byAccount.get(session.account)
    ofAccount?.delete(session)
    if (ofAccount?.size === 0) this.#byAccount.delete(session.account)
  }

  /** All of them, longest waiting first; safe to delete from while walking. */
  [Symbol.iterator](): Iterator<T> {
    return this.#all.values()
  }

  /** The one of the account to let go when more than `max` wait: the longest waiting that owes nothing, or else the longest waiting. */
  surplus(account: string, max: number): T | undefined {
    const ofAccount = this.#byAccount.get(account)
    if (!ofAccount || ofAccount.size <= max) return undefined
    for (const session of ofAccount) if (session.size === 0) return session
    const [longest] = ofAccount
    return longest
  }

  clear(): void {
    this.#all.clear()
    this.#byAccount.clear()
  }
}
