import { addNoiseBySigma } from './add-noise.ts'
import { exp32, f32, log32 } from './float32.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { assertPredictionType, predOriginalFromSigma } from './pred-original-sample.ts'
import { assertRunnable } from './scheduler-settings.ts'
import { scaleToUnitVariance, type SigmaSchedule, sigmaSchedule } from './sigma-schedule.ts'
import { sigmaToTimestep } from './sigma-spacing.ts'

/** DPM-Solver-2 of Lu et al. (2022) as in Karras et al. (2022): a second evaluation halfway in log sigma decides each step. */
export function createDpm2Run(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  const schedule = dpm2Schedule(config, totalSteps)
  const { sigmas } = schedule
  const midpoints = sigmas.map((sigma, step) => (step + 1 < sigmas.length ? midpointSigma(sigma, sigmas[step + 1]) : 0))
  return createMidpointRun(config, { schedule, midpoints, targets: sigmas.slice(1) })
}

/** What a midpoint method needs to know of each step. */
export interface MidpointPlan {
  readonly schedule: SigmaSchedule
  /** Sigma of each step's second evaluation; 0 makes the step one of a single evaluation. */
  readonly midpoints: Float32Array
  /** Sigma that each step's derivative leads to. */
  readonly targets: Float32Array
  /** Noise added after each whole step. */
  readonly fresh?: Float32Array
}

/** The sigmas of a DPM2 run. */
export function dpm2Schedule(config: NoiseScheduleConfig, totalSteps: number): SigmaSchedule {
  assertRunnable(config, totalSteps)
  assertPredictionType(config.predictionType, ['epsilon', 'vPrediction'])
  return sigmaSchedule(config, totalSteps, { zeroSnr: 'unsupported', canSpread: true, roundsKarras: true })
}

/** The sigma halfway between two in logarithms. */
export function midpointSigma(from: number, to: number): number {
  if (to === 0) return 0
  return exp32(f32((log32(from) + log32(to)) / 2))
}

/** Runs a midpoint method: two evaluations a step but the last. */
export function createMidpointRun(config: NoiseScheduleConfig, plan: MidpointPlan): NoiseSchedulerRun {
  const { timesteps, sigmas, logSigmas, initNoiseSigma } = plan.schedule
  /** Sample at the step's beginning, kept until its second evaluation. */
  let start: Float32Array | undefined
  const inputSigma = (evaluation: number) => (evaluation % 2 === 0 ? sigmas : plan.midpoints)[evaluation >> 1]
  const lastStep = timesteps.length - 1
  return {
    timesteps: timesteps.flatMap((timestep, step) => {
      return step === lastStep ? [timestep] : [timestep, f32(sigmaToTimestep(plan.midpoints[step], logSigmas))]
    }),
    initNoiseSigma,
    // Of a midpoint the reference gives what belongs to the step's end.
    addNoise: (latents, noise, evaluation) => addNoiseBySigma(latents, noise, sigmas[Math.ceil(evaluation / 2)]),
    scaleModelInput: (sample, evaluation, out) => scaleToUnitVariance(sample, inputSigma(evaluation), out),
    step(modelOutput, evaluation, sample, noise) {
      const step = evaluation >> 1
      const sigma = inputSigma(evaluation)
      // 1. Predict the picture and turn it into a derivative.
      const derivative = predOriginalFromSigma(config.predictionType, modelOutput, sample, sigma)
      for (let i = 0; i < derivative.length; i++) derivative[i] = f32(sample[i] - derivative[i]) / sigma
      const isFirst = start === undefined
      const target = isFirst ? plan.midpoints[step] : plan.targets[step]
      const dt = f32(target - sigmas[step])
      const from = start ?? sample
      start = isFirst ? sample : undefined
      // 2. Go to the midpoint, or with the midpoint's derivative from the start to the step's end.
      for (let i = 0; i < derivative.length; i++) derivative[i] = from[i] + f32(derivative[i] * dt)
      if (isFirst || plan.fresh === undefined) return derivative
      // 3. Add noise up to the next sigma.
      const fresh = noise.next(sample.length)
      for (let i = 0; i < derivative.length; i++) derivative[i] += f32(fresh[i] * plan.fresh[step])
      return derivative
    },
  }
}
