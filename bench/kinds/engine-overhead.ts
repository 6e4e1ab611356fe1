import { join } from 'node:path'
import { StepLoopEngine } from '../../engine/core/step-loop-engine.ts'
import { openRegistry } from '../../engine/index.ts'
import { createModelLoader } from '../../engine/models/loader.ts'
import { createPipeline } from '../../engine/pipelines/create-pipeline.ts'
import { EmbedsCache } from '../../engine/pipelines/embeds-cache.ts'
import type { BenchContext } from '../bench-context.ts'
import { CrowdRunner } from '../engine/crowd-runner.ts'
import type { ReportedRun } from '../engine/crowd-runner.ts'
import { requestOf } from '../engine/engine-crowd.ts'
import { instantRuntime } from '../engine/instant-runtime.ts'
import type { EngineOverhead } from '../generated/scenarios.ts'
import { summarize } from '../measure/percentiles.ts'
import { makeModel } from '../model-maker/make-model.ts'

/** What the engine itself takes of a step, by the number of generations inside. */
export async function measureEngineOverhead({ crowds, maxRows, steps, warmUpSteps, width, height }: EngineOverhead, context: BenchContext): Promise<void> {
  // Only its shapes matter: the tensors of SD 1.5 over a file of nothing.
  await makeModel(join(context.workFolder, 'shapes'), 'sd15', 'sparse')
  const registry = await openRegistry([join(context.workFolder, 'shapes')])
  const air = registry.models[0]?.air ?? ''
  for (const [index, crowd] of crowds.entries()) {
    context.progress(index, crowds.length, `${crowd} generations`)
    const runner = new CrowdRunner()
    const cache = new EmbedsCache(0)
    const engine = new StepLoopEngine({
      device: { type: 'cpu' },
      maxRows,
      loader: createModelLoader({ registry, runtime: instantRuntime(), weightsBudgetBytes: Number.MAX_SAFE_INTEGER }),
      createPipeline: model => createPipeline(model, { cache, onRun: runner.onRun, nowMs: () => performance.now(), roundRank: rank => rank }),
    })
    const wanted = warmUpSteps + steps
    const requests = Array.from({ length: crowd }, (_, number) => requestOf(number, air, { width, height, totalSteps: wanted + 2 }, 7.5))
    const { runs } = await runner.run(engine, requests, wanted + 1)
    const ms = summarize(ownMs(runs).slice(-steps))
    context.measure({ name: `${crowd} generations inside`, unit: 'ms a step', isLowerBetter: true, value: ms.p50, ms, details: { rows: maxRows } })
    await engine.stop()
  }
}

/** From the end of each run of the denoiser to the start of the next, where nothing else ran between them. */
function ownMs(runs: readonly ReportedRun[]): readonly number[] {
  return runs.slice(1).flatMap((next, index) => {
    const run = runs[index] as ReportedRun
    return run.stage === 'denoise' && next.stage === 'denoise' ? [next.startMs - run.startMs - run.durationMs] : []
  })
}
