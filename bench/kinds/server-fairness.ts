import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import type { ServerFairness } from '../generated/scenarios.ts'
import { round, summarize } from '../measure/percentiles.ts'
import type { TaskFields } from '../measure/request-mix.ts'
import { ratioGoal } from '../report/measure.ts'
import { drawPictures } from '../server/drawn-pictures.ts'
import { otherApiKey, startServer } from '../server/started-server.ts'
import { TaskClient } from '../server/task-client.ts'

/** Latency of a light account beside a flood, against the same account alone. */
export async function measureServerFairness(scenario: ServerFairness, context: BenchContext): Promise<void> {
  const { floodTasks, requests, rounds } = scenario
  const model = await benchModel(scenario.model, context)
  const server = await startServer(model, scenario.settings, context)
  const light = await TaskClient.open(server.port, model.air)
  const flooder = await TaskClient.open(server.port, model.air, otherApiKey)
  const [lightTask, floodTask] = await Promise.all([drawPictures(scenario.light), drawPictures(scenario.flood)])
  await light.picture(lightTask)
  await flooder.picture(floodTask)
  const alone: number[] = []
  const beside: number[] = []
  let flooded = 0
  for (let turn = 0; turn < rounds; turn++) {
    context.progress(turn, rounds, `round ${turn + 1}`)
    for (let each = 0; each < requests; each++) alone.push(await light.picture(lightTask))
    const flood = new Flood(flooder, floodTask)
    await flood.start(floodTasks)
    for (let each = 0; each < requests; each++) beside.push(await light.picture(lightTask))
    flooded += await flood.stop()
    report(scenario, context, { alone, beside, flooded })
  }
  light.close()
  flooder.close()
  await server.stop()
}

/** What was measured so far. */
interface Latencies {
  readonly alone: readonly number[]
  readonly beside: readonly number[]
  /** Pictures of the flood. */
  readonly flooded: number
}

function report(scenario: ServerFairness, context: BenchContext, { alone, beside, flooded }: Latencies): void {
  const ms = summarize(beside)
  const aloneMs = summarize(alone)
  const ratio = round(ms.p99 / aloneMs.p99)
  context.measure({
    name: 'light account beside a flood, p99', unit: 'ms', isLowerBetter: true, value: ms.p99, ms,
    baseline: { name: 'alone', value: aloneMs.p99 }, ratio, ...ratioGoal(ratio, scenario),
    details: { 'alone p50 ms': aloneMs.p50, 'p50 ratio': round(ms.p50 / aloneMs.p50), 'pictures of the flood': flooded, 'tasks of the flood under way': scenario.floodTasks },
  })
}

/** An account that keeps many tasks under way. */
class Flood {
  readonly #client: TaskClient
  readonly #task: TaskFields
  #isStopped = false
  #done = 0
  #lanes: readonly Promise<void>[] = []

  constructor(client: TaskClient, task: TaskFields) {
    this.#client = client
    this.#task = task
  }

  /** Resolves when the first of its pictures is there: then all its tasks are in the server. */
  async start(tasks: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#lanes = Array.from({ length: tasks }, () => this.#lane(resolve))
      Promise.all(this.#lanes).catch(reject)
    })
  }

  /** Lets what is under way end; gives how many pictures were made. */
  async stop(): Promise<number> {
    this.#isStopped = true
    await Promise.all(this.#lanes)
    return this.#done
  }

  async #lane(onPicture: () => void): Promise<void> {
    while (!this.#isStopped) {
      await this.#client.picture(this.#task)
      this.#done++
      onPicture()
    }
  }
}
