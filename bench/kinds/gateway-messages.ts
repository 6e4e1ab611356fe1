import { join } from 'node:path'
import type { WebSocket } from 'ws'
import type { BenchContext } from '../bench-context.ts'
import type { GatewayMessages } from '../generated/scenarios.ts'
import { interleave } from '../measure/interleave.ts'
import { round, summarize } from '../measure/percentiles.ts'
import { authenticate, openSocket } from '../processes/bench-socket.ts'
import type { ControlledProcess } from '../processes/controlled-process.ts'
import { startControlled } from '../processes/controlled-process.ts'
import { MessageLoad } from '../processes/message-load.ts'
import { compared } from '../report/measure.ts'

/** A server with sockets to it, and what its rounds gave. */
interface MeasuredServer {
  readonly process: ControlledProcess
  readonly load: MessageLoad
  readonly ms: number[]
  cpuMs: number
  tasks: number
}

/** Tasks a second through the gateway against a bare echo, level by level. */
export async function measureGatewayMessages(scenario: GatewayMessages, context: BenchContext): Promise<void> {
  const { levels, rounds, roundSeconds, warmUpSeconds } = scenario
  const gateway = await startControlled('gateway-main.js', [join(context.workFolder, 'data')])
  const echo = await startControlled('echo-main.js')
  let done = 0
  for (const { inFlight, connections } of levels) {
    const gatewaySockets = await openSockets(gateway.port, connections, true)
    const echoSockets = await openSockets(echo.port, connections, false)
    const subject = measured(gateway, gatewaySockets, inFlight)
    const baseline = measured(echo, echoSockets, inFlight)
    for (const { load } of [subject, baseline]) await load.run(warmUpSeconds * 1000)
    const comparison = await interleave(rounds, () => runRound(subject, roundSeconds), () => runRound(baseline, roundSeconds), turn => {
      context.progress(done * rounds + turn, levels.length * rounds, `${inFlight} in flight`)
    })
    context.measure({
      name: `${inFlight} in flight`, unit: 'tasks/s',
      ...compared(comparison, 'ws echo', scenario),
      ms: summarize(subject.ms),
      details: {
        'echo p50 ms': summarize(baseline.ms).p50, 'echo p99 ms': summarize(baseline.ms).p99,
        'gateway CPU µs/task': round(subject.cpuMs / subject.tasks * 1000), 'echo CPU µs/task': round(baseline.cpuMs / baseline.tasks * 1000),
        connections,
      },
    })
    for (const socket of [...gatewaySockets, ...echoSockets]) socket.removeAllListeners('close').terminate()
    done++
  }
  await Promise.all([gateway.stop(), echo.stop()])
}

async function openSockets(port: number, count: number, isGateway: boolean): Promise<readonly WebSocket[]> {
  const sockets: WebSocket[] = []
  while (sockets.length < count) {
    const socket = await openSocket(port)
    if (isGateway) await authenticate(socket)
    sockets.push(socket)
  }
  return sockets
}

function measured(process: ControlledProcess, sockets: readonly WebSocket[], inFlight: number): MeasuredServer {
  return { process, load: new MessageLoad(sockets, inFlight), ms: [], cpuMs: 0, tasks: 0 }
}

async function runRound(server: MeasuredServer, seconds: number): Promise<number> {
  const before = await server.process.cpuMs()
  const { perSecond, ms } = await server.load.run(seconds * 1000)
  server.cpuMs += await server.process.cpuMs() - before
  server.tasks += ms.length
  for (const each of ms) server.ms.push(each)
  return perSecond
}
