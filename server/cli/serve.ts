import { startServer } from '../app.ts'
import type { PlacedConfig } from '../config/default-places.ts'
import { stopOnSignal } from '../shutdown.ts'
import { StartError } from '../start-error.ts'
import { formatBanner } from './banner.ts'
import type { CliContext } from './cli-context.ts'
import { makeFirstKey } from './first-key.ts'
import { packageVersion } from './package-root.ts'

/**
 * Starts the server, says where it is, and lets it run until it is told to stop.
 * Throws a StartError when it cannot start, or when no worker ever becomes ready.
 */
export async function serve(config: PlacedConfig, { print, now, events, terminalLog }: CliContext): Promise<void> {
  const firstKey = await makeFirstKey(config, now())
  const server = await startServer(config, terminalLog && { logDestination: terminalLog }).catch(async (error: unknown) => {
    terminalLog?.release()
    await firstKey?.remove()
    throw error
  })
  let isStopped = false
  const stopped = stopOnSignal(server, events, server.log).then(() => { isStopped = true })
  const { host, port, models, broken, devices } = server
  for (const line of formatBanner({ version: packageVersion(), host, port, models, broken, devices, apiKey: firstKey?.apiKey })) print(line)
  terminalLog?.release()
  const isReady = await Promise.race([server.whenReady(), stopped.then(() => true)])
  if (isReady) {
    if (!isStopped) print('Ready.')
    return stopped
  }
  const reason = server.unreadyReason ?? 'no worker became ready'
  await server.stop(AbortSignal.abort())
  throw new StartError(`No worker could be started: ${reason}`)
}
