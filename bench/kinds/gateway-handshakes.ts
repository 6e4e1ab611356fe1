import { once } from 'node:events'
import { join } from 'node:path'
import type { WebSocket } from 'ws'
import type { BenchContext } from '../bench-context.ts'
import type { GatewayHandshakes } from '../generated/scenarios.ts'
import { interleave } from '../measure/interleave.ts'
import { summarize } from '../measure/percentiles.ts'
import { authenticate, exchange, openSocket } from '../processes/bench-socket.ts'
import { startControlled } from '../processes/controlled-process.ts'
import { compared } from '../report/measure.ts'

/** Connections with authentication a second, against connections with one message to a bare echo. */
export async function measureGatewayHandshakes(scenario: GatewayHandshakes, context: BenchContext): Promise<void> {
  const { handshakes, concurrency, rounds } = scenario
  const gateway = await startControlled('gateway-main.js', [join(context.workFolder, 'data')])
  const echo = await startControlled('echo-main.js')
  const ms: number[] = []
  const authenticated = () => connectMany(gateway.port, handshakes, concurrency, socket => authenticate(socket), ms)
  const bare = () => connectMany(echo.port, handshakes, concurrency, async socket => void await exchange(socket, '[]'), [])
  await authenticated()
  await bare()
  ms.length = 0
  const comparison = await interleave(rounds, authenticated, bare, turn => context.progress(turn, rounds, `round ${turn + 1}`))
  context.measure({ name: `${concurrency} at a time`, unit: 'handshakes/s', ...compared(comparison, 'ws and one message', scenario), ms: summarize(ms) })
  await Promise.all([gateway.stop(), echo.stop()])
}

/** Opens and closes connections, some at a time; gives how many a second and notes what each took until it was greeted. */
async function connectMany(port: number, count: number, concurrency: number, greet: (socket: WebSocket) => Promise<void>, ms: number[]): Promise<number> {
  const startedAt = performance.now()
  let left = count
  const lane = async () => {
    while (left-- > 0) {
      const openedAt = performance.now()
      const socket = await openSocket(port)
      await greet(socket)
      ms.push(performance.now() - openedAt)
      const closed = once(socket, 'close')
      socket.close()
      await closed
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return count / (performance.now() - startedAt) * 1000
}
