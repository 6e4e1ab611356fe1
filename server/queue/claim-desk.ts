import type { Lease } from './contract.ts'

/** A worker that waits for work. */
export interface PendingClaim {
  readonly worker: string
  readonly room: number
  /** Hands the leases out and ends the wait. */
  grant(leases: readonly Lease[]): void
}

interface Waiting extends PendingClaim {
  cancel(reason: unknown): void
}

/** Workers that wait for work, longest waiting first. */
export class ClaimDesk {
  readonly #waiting = new Set<Waiting>()

  /** Waits for a grant; rejects with the signal's reason when aborted, after calling `onGone`. */
  wait(worker: string, room: number, signal: AbortSignal, onGone: () => void): Promise<readonly Lease[]> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(claim)
        signal.removeEventListener('abort', onAbort)
      }
      const claim: Waiting = {
        worker,
        room,
        grant: leases => {
          leave()
          resolve(leases)
        },
        cancel: reason => {
          leave()
          onGone()
          reject(reason)
        },
      }
      const onAbort = () => claim.cancel(signal.reason)
      signal.addEventListener('abort', onAbort)
      this.#waiting.add(claim)
    })
  }

  /** The claims in order of arrival; safe to grant while walking. */
  list(): readonly PendingClaim[] {
    return [...this.#waiting]
  }

  has(worker: string): boolean {
    return this.list().some(claim => claim.worker === worker)
  }

  /** Ends all waits of one worker, or of all. */
  cancelAll(reason: unknown, worker?: string): void {
    for (const claim of [...this.#waiting]) {
      if (worker === undefined || claim.worker === worker) claim.cancel(reason)
    }
  }
}
