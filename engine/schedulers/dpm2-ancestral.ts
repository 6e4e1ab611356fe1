import { createMidpointRun, dpm2Schedule, midpointSigma } from './dpm2.ts'
import { splitSigma } from './euler-ancestral.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'

/** DPM-Solver-2 with ancestral sampling: each step goes below the next sigma and adds fresh noise up to it. */
export function createDpm2AncestralRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  const schedule = dpm2Schedule(config, totalSteps)
  const { sigmas } = schedule
  const splits = Array.from({ length: totalSteps }, (_, step) => splitSigma(sigmas[step], sigmas[step + 1]))
  return createMidpointRun(config, {
    schedule,
    midpoints: Float32Array.from(splits, ({ down }, step) => midpointSigma(sigmas[step], down)),
    targets: Float32Array.from(splits, ({ down }) => down),
    fresh: Float32Array.from(splits, ({ up }) => up),
  })
}
