import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import type { ServerMix } from '../generated/scenarios.ts'
import { interleave } from '../measure/interleave.ts'
import { round, summarize } from '../measure/percentiles.ts'
import { drawRequests, sortByKind } from '../measure/request-mix.ts'
import type { MixedRequest } from '../measure/request-mix.ts'
import { compared } from '../report/measure.ts'
import { drawMix } from '../server/drawn-pictures.ts'
import { closedLoop } from '../server/loads.ts'
import { startServer } from '../server/started-server.ts'
import type { StartedServer } from '../server/started-server.ts'
import { TaskClient } from '../server/task-client.ts'

/** Rows and runs that one side has had. */
interface RowCount {
  rows: number
  runs: number
}

/** Images a second of a mix against the same requests sorted by kind, or against another mix. */
export async function measureServerMix(scenario: ServerMix, context: BenchContext): Promise<void> {
  const { seed, requests: count, rounds } = scenario
  const model = await benchModel(scenario.model, context)
  const server = await startServer(model, scenario.settings, context)
  const mix = await drawMix(scenario.mix)
  const otherMix = scenario.baselineMix && await drawMix(scenario.baselineMix)
  const clients: TaskClient[] = []
  while (clients.length < scenario.clients) clients.push(await TaskClient.open(server.port, model.air))
  await closedLoop(clients, [...mix, ...otherMix ?? []].map(({ task }, kind) => ({ kind, task })))

  const requests = drawRequests(mix, count, seed)
  const baselineGroups = otherMix ? [drawRequests(otherMix, count, seed)] : sortByKind(requests)
  const ms: number[] = []
  const mixed: RowCount = { rows: 0, runs: 0 }
  const baseline: RowCount = { rows: 0, runs: 0 }
  const serveMixed = () => imagesPerSecond(server, clients, [requests], mixed, ms)
  const serveBaseline = () => imagesPerSecond(server, clients, baselineGroups, baseline, [])
  const comparison = await interleave(rounds, serveMixed, serveBaseline, turn => context.progress(turn, rounds, `round ${turn + 1}`))
  context.measure({
    name: 'mixed', unit: 'images/s', ...compared(comparison, otherMix ? 'the other mix' : 'sorted by kind', scenario), ms: summarize(ms),
    details: { 'rows a run': round(mixed.rows / mixed.runs), 'rows a run of the baseline': round(baseline.rows / baseline.runs), requests: count, kinds: mix.length },
  })
  for (const client of clients) client.close()
  await server.stop()
}

/** Serves groups of requests one group after the other. */
async function imagesPerSecond(
  server: StartedServer, clients: readonly TaskClient[], groups: readonly (readonly MixedRequest[])[], count: RowCount, ms: number[],
): Promise<number> {
  const before = await server.denoiserRuns()
  const startedAt = performance.now()
  for (const group of groups) ms.push(...(await closedLoop(clients, group)).ms)
  const seconds = (performance.now() - startedAt) / 1000
  const after = await server.denoiserRuns()
  count.rows += after.rows - before.rows
  count.runs += after.runs - before.runs
  return groups.flat().length / seconds
}
