import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import { benchDevice, openBenchEngine, requestOf } from '../engine/engine-crowd.ts'
import { watchEngine } from '../engine/engine-watch.ts'
import type { EngineOpening } from '../generated/scenarios.ts'
import { round } from '../measure/percentiles.ts'
import { openRegistry } from '../../engine/index.ts'

/** Rows of the engine's runs: those of one picture with guidance. */
const maxRows = 2

/** How long it takes until a model's first picture, and what it holds in memory. */
export async function measureEngineOpening(scenario: EngineOpening, context: BenchContext): Promise<void> {
  const { width, height } = scenario
  const device = await benchDevice(context.device)
  const model = await benchModel(scenario.model, context)
  const watch = await watchEngine()
  const residentBefore = process.memoryUsage.rss()
  const registryMs = await timed(() => openRegistry(model.places))
  context.measure({ name: 'look through the models folders', unit: 'ms', isLowerBetter: true, value: round(registryMs) })

  context.progress(1, 4, 'loading')
  const engine = await openBenchEngine(model, device, maxRows)
  const warmUpMs = await timed(() => engine.warmUp(model.air))
  const openMs = watch.sessions.reduce((sum, { createMs }) => sum + createMs, 0)
  const firstRunsMs = watch.sessions.flatMap(({ runs }) => runs).reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
  context.measure({
    name: 'load and warm up', unit: 's', isLowerBetter: true, value: round(warmUpMs / 1000),
    details: {
      'the runtime opens its graphs s': round(openMs / 1000),
      'first runs s': round(firstRunsMs / 1000),
      'reading, graph building and the rest ms': round(warmUpMs - openMs - firstRunsMs),
      'graph MiB without weights': round(watch.sessions.reduce((sum, { bytes }) => sum + bytes.length, 0) / 2 ** 20),
    },
  })

  const picture = (index: number) => timed(() => engine.generate(requestOf(index, model.air, { width, height, totalSteps: 1 }, 7.5), new AbortController().signal))
  context.progress(2, 4, 'first picture')
  const firstMs = await picture(0)
  context.progress(3, 4, 'second picture')
  const secondMs = await picture(1)
  context.measure({
    name: `first picture after the warm-up, ${width}x${height}, 1 step`, unit: 'ms', isLowerBetter: true,
    value: round(firstMs), baseline: { name: 'the next one', value: round(secondMs) }, ratio: round(firstMs / secondMs),
  })
  const gib = (bytes: number) => round(bytes / 2 ** 30)
  context.measure({
    name: 'memory of the process', unit: 'GiB', isLowerBetter: true, value: gib(process.memoryUsage.rss()),
    details: { 'before the model': gib(residentBefore), 'at its highest': gib(process.resourceUsage().maxRSS * 1024) },
  })
  await engine.stop()
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
