import type { NoiseSchedulerRun } from './noise-scheduler.ts'

/** A run without its first evaluations; what follows is as if they had left no history. */
export function skipEvaluations(run: NoiseSchedulerRun, count: number): NoiseSchedulerRun {
  if (count === 0) return run
  return {
    timesteps: run.timesteps.slice(count),
    initNoiseSigma: run.initNoiseSigma,
    addNoise: (latents, noise, evaluation) => run.addNoise(latents, noise, evaluation + count),
    scaleModelInput: (sample, evaluation, out) => run.scaleModelInput(sample, evaluation + count, out),
    step: (modelOutput, evaluation, sample, noise) => run.step(modelOutput, evaluation + count, sample, noise),
  }
}
