import type { Channel } from './channel.ts'
import type { FromWorker, ToWorker } from './ipc-messages.ts'
import { parentChannel } from './worker-process.ts'

/**
 * Gives this whole process to a worker: it ends when the worker ends or its gateway is gone.
 *
 * A terminal sends its interrupt to every process of the group and a service manager may do the same;
 * the gateway decides when a worker ends, so those signals are not followed here.
 */
export async function ownProcess(run: (channel: Channel<FromWorker, ToWorker>) => Promise<void>): Promise<never> {
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  const channel = parentChannel()
  channel.onClose(() => process.exit(0))
  try {
    await run(channel)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    await leave(1)
  }
  return await leave(0)
}

/** Messages on their way are sent before the line closes. */
async function leave(code: number): Promise<never> {
  process.exitCode = code
  process.removeAllListeners('disconnect')
  const closed = new Promise(resolve => process.once('disconnect', resolve))
  if (process.connected) {
    process.disconnect()
    await closed
  }
  process.exit(code)
}
