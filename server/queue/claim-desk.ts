import type { Lease } from './contract.ts'

/** What a worker asks for. */
export interface Claim {
  readonly worker: string
  readonly room: number
  /** Whether it wants only tasks of accounts of which it has none. */
  readonly isForNewcomers: boolean
}

/** A worker that waits for work. */
export interface PendingClaim extends Claim {
  /** Hands the leases out and ends the wait. */
  grant(leases: readonly Lease[]): void
}

interface Waiting extends PendingClaim {
  readonly signal: AbortSignal
  cancel(reason: unknown): void
}

/** Workers that wait for work, longest waiting first. */
export class ClaimDesk {
  readonly #waiting = new Set<Waiting>()
  /** Signals that are listened to: once each, however often their owners wait, for a listener costs more than a wait. */
  readonly #heard = new WeakSet<AbortSignal>()

  /** Waits for a grant; rejects with the signal's reason when aborted, after calling `onGone`. */
  wait({ worker, room, isForNewcomers }: Claim, signal: AbortSignal, onGone: () => void): Promise<readonly Lease[]> {
    this.#hear(signal)
    return new Promise((resolve, reject) => {
      const claim: Waiting = {
        worker,
        room,
        isForNewcomers,
        signal,
        grant: leases => {
          this.#waiting.delete(claim)
          resolve(leases)
        },
        cancel: reason => {
          this.#waiting.delete(claim)
          onGone()
          reject(reason)
        },
      }
      this.#waiting.add(claim)
    })
  }

  /** The claims in order of arrival, those for newcomers last, so that nobody takes their places who could have another; safe to grant while walking. */
  list(): readonly PendingClaim[] {
    const claims = [...this.#waiting]
    if (!claims.some(({ isForNewcomers }) => isForNewcomers)) return claims
    return [...claims.filter(({ isForNewcomers }) => !isForNewcomers), ...claims.filter(({ isForNewcomers }) => isForNewcomers)]
  }

  has(worker: string): boolean {
    return [...this.#waiting].some(claim => claim.worker === worker)
  }

  /** Ends all waits of one worker, or of all. */
  cancelAll(reason: unknown, worker?: string): void {
    for (const claim of [...this.#waiting]) {
      if (worker === undefined || claim.worker === worker) claim.cancel(reason)
    }
  }

  #hear(signal: AbortSignal): void {
    if (this.#heard.has(signal)) return
    this.#heard.add(signal)
    signal.addEventListener('abort', () => {
      for (const claim of [...this.#waiting]) if (claim.signal === signal) claim.cancel(signal.reason)
    }, { once: true })
  }
}
