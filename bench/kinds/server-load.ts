import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import type { ServerLoad } from '../generated/scenarios.ts'
import { poissonArrivals } from '../measure/arrivals.ts'
import { interleave } from '../measure/interleave.ts'
import { round, summarize } from '../measure/percentiles.ts'
import { drawRequests } from '../measure/request-mix.ts'
import type { MixedRequest } from '../measure/request-mix.ts'
import { compared } from '../report/measure.ts'
import { drawMix } from '../server/drawn-pictures.ts'
import { closedLoop, oneAtATime, openLoop } from '../server/loads.ts'
import { Pinger } from '../server/pinger.ts'
import { startServer } from '../server/started-server.ts'
import { TaskClient } from '../server/task-client.ts'

/** The clients of a server and what they ask for. */
interface Setting {
  readonly clients: readonly TaskClient[]
  readonly requests: readonly MixedRequest[]
}

/** A whole server under load, with an application ping beside it. */
export async function measureServerLoad(scenario: ServerLoad, context: BenchContext): Promise<void> {
  const model = await benchModel(scenario.model, context)
  const server = await startServer(model, scenario.settings, context)
  const mix = await drawMix(scenario.mix)
  const clients: TaskClient[] = []
  while (clients.length < Math.max(...scenario.clients)) clients.push(await TaskClient.open(server.port, model.air))
  // Each kind once, so that no kind's first run is measured.
  await closedLoop(clients, mix.map(({ task }, kind) => ({ kind, task })))
  const setting = { clients, requests: drawRequests(mix, scenario.requests, scenario.seed) }
  const pinger = await Pinger.start(server.port)
  const capacity = await measureClosedLoops(scenario, context, setting)
  if (scenario.poisson) await measurePoisson(scenario, scenario.poisson, context, setting, capacity)
  const ping = summarize(await pinger.stop())
  const { maxPingP99Ms: limit } = scenario
  context.measure({
    name: 'application ping meanwhile, p99', unit: 'ms', isLowerBetter: true, value: ping.p99, ms: ping,
    ...(limit !== undefined && { goal: { text: `≤ ${limit} ms`, isMet: ping.p99 <= limit } }),
  })
  for (const client of clients) client.close()
  await server.stop()
}

/** Gives the images a second of the most clients. */
async function measureClosedLoops(scenario: ServerLoad, context: BenchContext, { clients, requests }: Setting): Promise<number> {
  let capacity = 0
  for (const [index, count] of scenario.clients.entries()) {
    const ms: number[] = []
    const comparison = await interleave(scenario.rounds, async () => {
      const load = await closedLoop(clients.slice(0, count), requests)
      ms.push(...load.ms)
      return load.perSecond
    }, async () => (await closedLoop(clients.slice(0, 1), requests)).perSecond, turn => {
      context.progress(index * scenario.rounds + turn, scenario.clients.length * scenario.rounds, `${count} clients`)
    })
    context.measure({ name: `${count} clients that wait`, unit: 'images/s', ...compared(comparison, 'one at a time', scenario), ms: summarize(ms) })
    capacity = comparison.subject
  }
  return capacity
}

async function measurePoisson({ seed }: ServerLoad, { shares, seconds, maxRequests }: NonNullable<ServerLoad['poisson']>, context: BenchContext, { clients, requests }: Setting, capacity: number): Promise<void> {
  const client = clients[0] as TaskClient
  for (const [index, share] of shares.entries()) {
    const arrivals = poissonArrivals({ perSecond: share * capacity, seconds, seed: seed + index, maxArrivals: maxRequests })
    if (arrivals.length === 0) {
      context.note(`Nothing arrived at ${share} of capacity within ${seconds} s`)
      continue
    }
    context.progress(index, shares.length, `${share} of capacity`)
    const load = await openLoop(client, requests, arrivals)
    const single = await oneAtATime(client, requests, arrivals)
    const ms = summarize(load.ms)
    const singleMs = summarize(single.ms)
    context.measure({
      name: `Poisson arrivals at ${share} of capacity, p90`, unit: 'ms', isLowerBetter: true, value: ms.p90, ms,
      baseline: { name: 'one at a time', value: singleMs.p90 }, ratio: round(ms.p90 / singleMs.p90),
      details: {
        'arrivals': arrivals.length, 'images/s': round(load.perSecond), 'images/s one at a time': round(single.perSecond),
        'one at a time p50 ms': singleMs.p50, 'one at a time p99 ms': singleMs.p99,
      },
    })
  }
}
