import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Channel } from './channel.ts'
import type { FromWorker, ToWorker } from './ipc-messages.ts'

/** A worker's process as its gateway sees it. */
export interface WorkerProcess extends Channel<ToWorker, FromWorker> {
  readonly pid: number | undefined
  /** Calls back once, after the last message; says how the process ended. */
  onExit(listener: (how: string) => void): void
  /** Ends it at once. */
  kill(): void
}

/** Starts a process that runs a worker. */
export type ForkWorker = () => WorkerProcess

/**
 * Large tensors come from and go back to the system instead of piling up in the allocator's arenas:
 * without these two the memory of a process that opens and closes models grows for ever.
 */
const allocatorSettings = { MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '1048576' }

/** Forks a compiled module as a worker process. The server's own settings, and the keys among them, are not handed on. */
export function forkWorker(entry: URL): WorkerProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('LATENTD_'))
  const child = fork(fileURLToPath(entry), [], {
    serialization: 'advanced',
    // Not the server's own: a debugger's port or a loader is its alone.
    execArgv: ['--enable-source-maps'],
    env: { ...Object.fromEntries(inherited), ...allocatorSettings },
    // Its stdout is the server's stderr: stdout belongs to what the command prints.
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  return {
    get pid() {
      return child.pid
    },
    send: message => {
      if (child.connected) child.send(message, ignoreClosedChannel)
    },
    onMessage: listener => void child.on('message', message => listener(message as FromWorker)), // both ends are ours
    onClose: listener => void child.once('disconnect', listener),
    onExit: listener => {
      let hasEnded = false
      const end = (how: string) => {
        if (!hasEnded) listener(how)
        hasEnded = true
      }
      child.once('error', error => end(`could not be started: ${error.message}`))
      child.once('close', (code, signal) => end(signal ? `was ended by ${signal}` : `ended with exit code ${code}`))
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

/** The gateway's line as a worker process sees it. */
export function parentChannel(): Channel<FromWorker, ToWorker> {
  if (!process.send) throw new Error('A worker process is started by a server, not by hand')
  return {
    send: message => {
      if (process.connected) process.send?.(message, undefined, undefined, ignoreClosedChannel)
    },
    onMessage: listener => void process.on('message', message => listener(message as ToWorker)), // both ends are ours
    onClose: listener => void process.once('disconnect', listener),
  }
}

/** A peer that ends while a message is on its way is told of by its exit; without a callback the error would be thrown. */
function ignoreClosedChannel(): void {}
