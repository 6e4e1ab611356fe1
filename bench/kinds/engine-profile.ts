import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import { CrowdRunner } from '../engine/crowd-runner.ts'
import { benchDevice, crowdOf, openBenchEngine } from '../engine/engine-crowd.ts'
import { watchEngine } from '../engine/engine-watch.ts'
import { sumProfile } from '../engine/sum-profile.ts'
import type { EngineProfile } from '../generated/scenarios.ts'
import { round } from '../measure/percentiles.ts'

/** Operators and parts below this share of a step go under "others". */
const worthNaming = 0.005

/** Where a step's time goes. The network is opened once more for this, with the runtime's own profiler on. */
export async function measureEngineProfile(scenario: EngineProfile, context: BenchContext): Promise<void> {
  const { width, height, rows, steps } = scenario
  const device = await benchDevice(context.device)
  const model = await benchModel(scenario.model, context)
  const watch = await watchEngine()
  const runner = new CrowdRunner()
  const engine = await openBenchEngine(model, device, rows, { onRun: runner.onRun })
  context.progress(0, steps + 2, 'one step of the engine')
  await runner.run(engine, crowdOf(rows, model.air, { width, height, totalSteps: 2 }), 1)
  const denoiser = watch.denoiser()
  const feeds = denoiser.lastFeeds ?? {}
  // Both at once would need the memory twice.
  await engine.stop()
  const session = await watch.open(denoiser, { enableProfiling: true, profileFilePrefix: join(context.workFolder, 'profile') })
  await session.run(feeds)
  const startMs = performance.now()
  for (let step = 0; step < steps; step++) {
    context.progress(step + 1, steps + 2, `step ${step + 1}`)
    await session.run(feeds)
  }
  const stepMs = (performance.now() - startMs) / steps
  session.endProfiling()
  const [file = ''] = (await readdir(context.workFolder)).filter(name => name.startsWith('profile'))
  // The first run is left out: it is slower than all that follow.
  const { operators, parts, nodesMs } = sumProfile(await readFile(join(context.workFolder, file), 'utf8'), steps)
  context.measure({ name: `a step, ${width}x${height}, ${rows} rows, profiled`, unit: 'ms', isLowerBetter: true, value: round(stepMs), details: { 'outside of operators ms': round(stepMs - nodesMs) } })
  for (const [what, sums] of [['operator', operators], ['part', parts]] as const) {
    const shown = [...sums].filter(([, ms]) => ms >= stepMs * worthNaming)
    const others = nodesMs - shown.reduce((sum, [, ms]) => sum + ms, 0)
    for (const [name, ms] of [...shown, ['others', others] as const]) {
      context.measure({ name: `${what} ${name}`, unit: 'ms', isLowerBetter: true, value: round(ms), baseline: { name: 'the step', value: round(stepMs) }, ratio: round(ms / stepMs) })
    }
  }
}
