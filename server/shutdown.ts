import type { Log } from './log.ts'
import type { TaskEvents } from './queue/contract.ts'

/** What can be brought to an end. */
export interface Stoppable {
  /** Finishes what was accepted, for as long as it may; `hurry` cuts that short. */
  stop(hurry: AbortSignal): Promise<void>
}

/** Where signals come from: the process. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

const endSignals = ['SIGTERM', 'SIGINT'] as const

/** Waits for a signal to end and stops the server; a second signal makes it hurry. */
export async function stopOnSignal(server: Stoppable, source: SignalSource, log: Log): Promise<void> {
  const hurry = new AbortController()
  let onFirst: () => void = () => {}
  const asked = new Promise<void>(resolve => { onFirst = resolve })
  let signals = 0
  const listener = (signal: NodeJS.Signals) => {
    log.info('signal', { signal, isFirst: signals === 0 })
    if (signals++ === 0) onFirst()
    else hurry.abort(new Error('A second signal came'))
  }
  for (const signal of endSignals) source.on(signal, listener)
  await asked
  try {
    await server.stop(hurry.signal)
  } finally {
    for (const signal of endSignals) source.off(signal, listener)
  }
}

/** A queue that tells how much is left in it. */
export interface DrainableQueue extends TaskEvents {
  readonly unfinished: number
}

/** Resolves when every task has ended or the signal aborts, whichever is first; says whether every task has ended. */
export async function whenFinished(queue: DrainableQueue, signal: AbortSignal): Promise<boolean> {
  if (queue.unfinished === 0 || signal.aborted) return queue.unfinished === 0
  let unsubscribe: () => void = () => {}
  let onAbort: () => void = () => {}
  await new Promise<void>(resolve => {
    onAbort = resolve
    signal.addEventListener('abort', onAbort)
    unsubscribe = queue.subscribe(event => {
      if (event.type === 'ended' && queue.unfinished === 0) resolve()
    })
  })
  signal.removeEventListener('abort', onAbort)
  unsubscribe()
  return queue.unfinished === 0
}
