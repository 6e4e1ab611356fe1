import { availableParallelism } from 'node:os'
import type { Engine } from '../../engine/index.ts'
import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import { CrowdRunner } from '../engine/crowd-runner.ts'
import { benchDevice, crowdOf, openBenchEngine } from '../engine/engine-crowd.ts'
import type { TextRequest } from '../engine/engine-crowd.ts'
import { watchEngine } from '../engine/engine-watch.ts'
import type { EngineWatch } from '../engine/engine-watch.ts'
import type { EngineSteps } from '../generated/scenarios.ts'
import { interleave } from '../measure/interleave.ts'
import { median, round } from '../measure/percentiles.ts'
import { compared } from '../report/measure.ts'

/**
 * Rows a second through the engine against a bare loop of the runtime on the same session with the same feeds, or against an
 * engine at the default precision.
 */
export async function measureEngineSteps(scenario: EngineSteps, context: BenchContext): Promise<void> {
  const { shapes, steps, rounds, precision } = scenario
  const device = await benchDevice(context.device)
  const model = await benchModel(scenario.model, context)
  const watch = await watchEngine()
  const maxRows = Math.max(...shapes.flatMap(({ rows }) => rows))
  const open = async (more: Pick<EngineSteps, 'precision'> = {}): Promise<Opened> => {
    const runner = new CrowdRunner()
    return { runner, engine: await openBenchEngine(model, device, maxRows, { ...more, onRun: runner.onRun }) }
  }
  const subject = await open(precision && { precision })
  const other = precision ? await open() : undefined
  const cases = shapes.flatMap(({ width, height, rows }) => rows.map(each => ({ width, height, rows: each })))
  for (const [index, { width, height, rows }] of cases.entries()) {
    const name = `${width}x${height}, ${rows} ${rows === 1 ? 'row' : 'rows'}`
    context.progress(index, cases.length, name)
    const crowd = () => crowdOf(rows, model.air, { width, height, totalSteps: steps + 2 })
    /** The engine's own ms of each step, those inside the runtime left out. */
    const own: number[] = []
    const runEngine = async () => {
      const { totalMs, ownMs } = await runSteps(subject, crowd(), rows, steps)
      own.push(ownMs / steps)
      return rows * steps / totalMs * 1000
    }
    const runBaseline = async () => rows * steps / (other ? (await runSteps(other, crowd(), rows, steps)).totalMs : await bareLoopMs(watch, steps)) * 1000
    await runEngine()
    if (other) await runBaseline()
    own.length = 0
    const comparison = await interleave(rounds, runEngine, runBaseline)
    context.measure({
      name, unit: 'rows/s', ...compared(comparison, other ? 'default precision' : 'bare run', scenario),
      details: { 'ms a step': round(rows / comparison.subject * 1000), 'of it beside the network': round(median(own)) },
    })
  }
  context.note(`${availableParallelism()} threads`)
  await Promise.all([subject.engine.stop(), other?.engine.stop()])
}

/** An engine, and what its runs are counted by. */
interface Opened {
  readonly engine: Engine
  readonly runner: CrowdRunner
}

/**
 * Ms of so many steps, and of those the engine's own. A step ends where the network's next run begins; what the end of a crowd
 * takes, with everybody's cancellation, belongs to none.
 */
async function runSteps({ engine, runner }: Opened, crowd: readonly TextRequest[], rows: number, steps: number): Promise<{ readonly totalMs: number; readonly ownMs: number }> {
  const { runs } = await runner.run(engine, crowd, steps + 1)
  if (runs.some(run => run.stage !== 'denoise' || run.rows !== rows)) throw new Error('The rows did not share their runs')
  const totalMs = (runs[steps]?.startMs ?? NaN) - (runs[0]?.startMs ?? NaN)
  return { totalMs, ownMs: totalMs - runs.slice(0, steps).reduce((sum, { durationMs }) => sum + durationMs, 0) }
}

async function bareLoopMs(watch: EngineWatch, steps: number): Promise<number> {
  const denoiser = watch.denoiser()
  if (!denoiser.lastFeeds) throw new Error('The denoiser was never run')
  const startMs = performance.now()
  for (let step = 0; step < steps; step++) await denoiser.run(denoiser.lastFeeds)
  return performance.now() - startMs
}
