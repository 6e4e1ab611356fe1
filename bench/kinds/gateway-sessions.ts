import { join } from 'node:path'
import type { WebSocket } from 'ws'
import type { BenchContext } from '../bench-context.ts'
import type { GatewaySessions } from '../generated/scenarios.ts'
import { round } from '../measure/percentiles.ts'
import { authenticate, exchange, openSocket } from '../processes/bench-socket.ts'
import { startControlled } from '../processes/controlled-process.ts'
import type { ControlledProcess } from '../processes/controlled-process.ts'

/** Opened at a time: below what a server lets one address have without a key. */
const atATime = 10

/** What an idle authenticated session costs in memory, against an open socket of a bare server. */
export async function measureGatewaySessions({ sessions }: GatewaySessions, context: BenchContext): Promise<void> {
  const gateway = await startControlled('gateway-main.js', [join(context.workFolder, 'data')])
  const echo = await startControlled('echo-main.js')
  const progress = (offset: number) => (opened: number) => context.progress(offset + opened, 2 * sessions, `${opened} sockets`)
  const mine = await bytesPerSocket(gateway, sessions, socket => authenticate(socket), progress(0))
  const bare = await bytesPerSocket(echo, sessions, async socket => void await exchange(socket, '[]'), progress(sessions))
  context.measure({
    name: `${sessions} idle sessions, heap of each`, unit: 'KiB', isLowerBetter: true,
    value: round(mine.heap / 1024), baseline: { name: 'ws socket', value: round(bare.heap / 1024) }, ratio: round(mine.heap / bare.heap),
    details: { 'resident KiB each': round(mine.resident / 1024), 'of a bare socket': round(bare.resident / 1024) },
  })
  await Promise.all([gateway.stop(), echo.stop()])
}

async function bytesPerSocket(server: ControlledProcess, count: number, greet: (socket: WebSocket) => Promise<void>, onOpened: (opened: number) => void) {
  // What a first connection brings into being for all is not counted.
  const sockets = [await openGreeted(server.port, greet)]
  const before = await server.memory()
  while (sockets.length <= count) {
    const more = Math.min(atATime, count + 1 - sockets.length)
    sockets.push(...await Promise.all(Array.from({ length: more }, () => openGreeted(server.port, greet))))
    onOpened(sockets.length - 1)
  }
  const after = await server.memory()
  for (const socket of sockets) socket.terminate()
  return { heap: (after.heapBytes - before.heapBytes) / count, resident: (after.rssBytes - before.rssBytes) / count }
}

async function openGreeted(port: number, greet: (socket: WebSocket) => Promise<void>): Promise<WebSocket> {
  const socket = await openSocket(port)
  await greet(socket)
  return socket
}
