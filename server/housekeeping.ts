import type { Log } from './log.ts'

/** Something that is done again and again while the server runs. */
export interface Chore {
  /** For the log. */
  readonly name: string
  readonly everyMs: number
  readonly run: () => Promise<unknown>
}

/** Does chores at their intervals, each after its last run has ended. Returns the function that ends them. */
export function startHousekeeping(chores: readonly Chore[], log: Log): () => void {
  const timers = chores.map(({ name, everyMs, run }) => {
    let isRunning = false
    return setInterval(() => {
      if (isRunning) return
      isRunning = true
      void run()
        .catch((error: unknown) => log.error('choreFailed', { chore: name, error }))
        .finally(() => { isRunning = false })
    }, everyMs).unref()
  })
  return () => timers.forEach(timer => clearInterval(timer))
}
