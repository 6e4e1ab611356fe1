import { setMaxListeners } from 'node:events'

/** Aborts with the first of its sources. */
export interface JointSignal {
  readonly signal: AbortSignal
  /** Leaves the sources; to be called when what the signal is for has ended. */
  leave(): void
}

/**
 * Joins signals for one piece of work, and a time limit where there is one.
 *
 * `AbortSignal.any` is not for this: what it makes is kept for as long as a source lives, and where somebody listens to it,
 * until it aborts; a worker that joins the signal of its drain with each task's would grow with every task.
 */
export function joinSignals(sources: readonly AbortSignal[], timeoutMs?: number): JointSignal {
  // Each listener leaves with its work, and there may be as much of it as a source has.
  setMaxListeners(0, ...sources)
  const joint = new AbortController()
  const listeners = sources.map(source => [source, () => joint.abort(source.reason)] as const)
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => joint.abort(new TimeLimitError('The time is over')), timeoutMs).unref()
  for (const [source, listener] of listeners) {
    if (source.aborted) joint.abort(source.reason)
    else source.addEventListener('abort', listener, { once: true })
  }
  return {
    signal: joint.signal,
    leave() {
      clearTimeout(timer)
      for (const [source, listener] of listeners) source.removeEventListener('abort', listener)
    },
  }
}

/** Why a joint signal was aborted when its time was over. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError'
}
