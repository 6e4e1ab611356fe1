import type { Clock } from '../../../server/clock.ts'

interface Timer {
  at: number
  readonly everyMs: number | undefined
  readonly run: () => void
}

/** A clock that moves only when a test moves it; timers run in their order while it does. */
export class ManualClock implements Clock {
  #now = 1_000
  readonly #timers = new Set<Timer>()

  /** Timers that have not been cancelled. */
  get timers(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#now
  }

  wallNow(): number {
    return 1_700_000_000_000 + this.#now
  }

  after(ms: number, run: () => void): () => void {
    return this.#add({ at: this.#now + ms, everyMs: undefined, run })
  }

  every(ms: number, run: () => void): () => void {
    return this.#add({ at: this.#now + ms, everyMs: ms, run })
  }

  /** Moves on, running what becomes due. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = next.at
      if (next.everyMs === undefined) this.#timers.delete(next)
      else next.at += next.everyMs
      next.run()
    }
    this.#now = end
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  #next(end: number): Timer | undefined {
    return [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
  }
}
