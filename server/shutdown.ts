import type { Log } from './log.ts'
import type { TaskEvents } from './queue/contract.ts'

/** What can be brought to an end. */
export interface Stoppable {
  /** Finishes what was accepted, for as long as it may; `hurry` cuts that short. */
  stop(hurry: AbortSignal): Promise<void>
}

/** Where signals come from, and what nobody caught: the process. */
export interface ProcessEvents {
  on(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown
  off(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  off(event: 'uncaughtException', listener: (error: unknown) => void): unknown
}

/** The server was stopped because something was thrown, or a promise rejected, where nobody caught it. */
export class DefectError extends Error {
  override readonly name = 'DefectError'
}

const endSignals = ['SIGTERM', 'SIGINT'] as const

/** What a server that has a defect may take to stop. */
const stopAfterDefectMs = 10_000

/**
 * Waits for a signal to end and stops the server; a second signal makes it hurry.
 *
 * What nobody caught stops it too, at once: after it nobody knows what state is sound, and what is wrong in memory would
 * last as long as the process. Stopped in order, tasks get an error that says to send them again and clients come back
 * to the next process. Throws a DefectError then.
 */
export async function stopOnSignal(server: Stoppable, source: ProcessEvents, log: Log, { stopWithinMs = stopAfterDefectMs } = {}): Promise<void> {
  const hurry = new AbortController()
  const defect = new AbortController()
  let onFirst: () => void = () => {}
  const asked = new Promise<void>(resolve => { onFirst = resolve })
  let signals = 0
  const listener = (signal: NodeJS.Signals) => {
    log.info('signal', { signal, isFirst: signals === 0 })
    if (signals++ === 0) onFirst()
    else hurry.abort(new Error('A second signal came'))
  }
  // A rejection that nobody handles comes as one of these too.
  const onDefect = (error: unknown) => {
    log.error('uncaught', { error })
    defect.abort(new DefectError('stopped because of a defect; the log says more'))
    hurry.abort(defect.signal.reason)
    onFirst()
  }
  for (const signal of endSignals) source.on(signal, listener)
  source.on('uncaughtException', onDefect)
  await asked
  try {
    await Promise.race([server.stop(hurry.signal), after(defect.signal, stopWithinMs)])
  } finally {
    for (const signal of endSignals) source.off(signal, listener)
    source.off('uncaughtException', onDefect)
  }
  defect.signal.throwIfAborted()
}

/** Resolves some time after the signal aborts. Keeps no process alive. */
function after(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise(resolve => {
    const wait = () => setTimeout(resolve, ms).unref()
    if (signal.aborted) wait()
    else signal.addEventListener('abort', wait, { once: true })
  })
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
