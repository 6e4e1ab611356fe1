/** A request that waits for room. */
interface Waiting {
  readonly bytes: number
  readonly grant: () => void
}

/** What one account's answers take. */
interface Account {
  used: number
  readonly waiting: Set<Waiting>
}

/**
 * Room in memory for the pictures inside the answers that are on their way to one account. Answers wait for it in order; one that is
 * larger than all of it goes alone.
 */
export class AnswerRoom {
  readonly #maxBytes: number
  readonly #accounts = new Map<string, Account>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Waits for room; gives the function that frees it, to be called once. Rejects with the signal's reason when aborted. */
  async enter(account: string, bytes: number, signal: AbortSignal): Promise<() => void> {
    if (bytes === 0) return () => undefined
    const own = this.#accounts.get(account) ?? { used: 0, waiting: new Set() }
    this.#accounts.set(account, own)
    if (own.waiting.size === 0 && this.#fits(own, bytes)) own.used += bytes
    else await this.#wait(account, own, bytes, signal)
    return () => {
      own.used -= bytes
      this.#grant(account, own)
    }
  }

  #wait(account: string, own: Account, bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        own.waiting.delete(waiting)
        reject(signal.reason as Error)
        this.#grant(account, own)
      }
      const waiting: Waiting = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', leave)
          resolve()
        },
      }
      own.waiting.add(waiting)
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave, { once: true })
    })
  }

  #grant(account: string, own: Account): void {
    for (const waiting of own.waiting) {
      if (!this.#fits(own, waiting.bytes)) return
      own.waiting.delete(waiting)
      own.used += waiting.bytes
      waiting.grant()
    }
    if (own.used === 0) this.#accounts.delete(account)
  }

  #fits({ used }: Account, bytes: number): boolean {
    return used === 0 || used + bytes <= this.#maxBytes
  }
}
