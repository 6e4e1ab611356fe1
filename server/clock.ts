/** Time for whatever closes, expires or retries by it; a test brings one that it advances itself. */
export interface Clock {
  /** Monotonic ms. */
  now(): number
  /** Wall clock, ms since the epoch. */
  wallNow(): number
  /** Runs once after `ms`; the returned function cancels it. Never keeps the process alive. */
  after(ms: number, run: () => void): () => void
  /** Runs every `ms`; the returned function ends it. Never keeps the process alive. */
  every(ms: number, run: () => void): () => void
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
  every(ms, run) {
    const timer = setInterval(run, ms).unref()
    return () => clearInterval(timer)
  },
}
