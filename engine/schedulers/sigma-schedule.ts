import { f32, sqrt32 } from './float32.ts'
import { alphasCumprod, trainingSigmas, type ZeroSnr } from './noise-levels.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig } from './noise-scheduler.ts'
import { choiceSetting } from './scheduler-settings.ts'
import { sigmaAt, sigmaRange, sigmaSpacing, sigmaToTimestep, spreadSigmas } from './sigma-spacing.ts'
import { fractionalTimesteps, roundHalfEven } from './timestep-spacing.ts'

/** The noise levels a run passes, for algorithms that keep the sample as x0 + sigma · noise. */
export interface SigmaSchedule {
  /** One a step, falling. */
  readonly timesteps: readonly number[]
  /** One a step, falling, and the one that the run ends with. */
  readonly sigmas: Float32Array
  /** Logarithms of the training sigmas, rising. */
  readonly logSigmas: Float32Array
  readonly initNoiseSigma: number
}

/** What differs between the algorithms. */
export interface SigmaScheduleOptions {
  readonly zeroSnr: ZeroSnr
  /** False for algorithms that know no Karras, exponential and beta spacing. */
  readonly canSpread: boolean
  /** Karras timesteps are rounded to whole ones. */
  readonly roundsKarras?: boolean
}

/** Lays a run's sigmas out as the model's noise schedule says. */
export function sigmaSchedule(config: NoiseScheduleConfig, totalSteps: number, options: SigmaScheduleOptions): SigmaSchedule {
  const training = trainingSigmas(alphasCumprod(config, options.zeroSnr))
  const logSigmas = training.map(Math.log)
  let timesteps = fractionalTimesteps(config, totalSteps)
  let sigmas = timesteps.map((timestep) => sigmaAt(timestep, training))
  const spacing = options.canSpread ? sigmaSpacing(config) : 'timesteps'
  if (spacing !== 'timesteps') {
    const { min, max } = sigmaRange(config, sigmas)
    sigmas = spreadSigmas(spacing, min, max, timesteps.length)
    timesteps = sigmas.map((sigma) => sigmaToTimestep(sigma, logSigmas))
    if (spacing === 'karras' && options.roundsKarras === true) timesteps = timesteps.map(roundHalfEven)
  }
  const all = Float32Array.from([...sigmas, 0])
  return { timesteps, sigmas: all, logSigmas, initNoiseSigma: initNoiseSigma(config, all) }
}

/** What standard normal noise is scaled with; some spacings count the picture's own variance in. */
export function initNoiseSigma(config: NoiseScheduleConfig, sigmas: Float32Array): number {
  const max = sigmas.reduce((largest, sigma) => Math.max(largest, sigma), 0)
  return (config.timestepSpacing ?? 'linspace') === 'leading' ? sqrt32(f32(f32(max * max) + 1)) : max
}

/** Refuses what changes the sigmas in ways not done here. */
export function assertPlainSigmas(config: NoiseScheduleConfig): void {
  choiceSetting(config, 'interpolation_type', ['linear'], 'linear')
  if (config.extra.timestep_type === 'continuous' && config.predictionType === 'vPrediction') {
    throw new NoiseScheduleError('timestep_type: expected discrete, got continuous')
  }
}

/** Gives the sample unit variance: divides by sqrt(sigma² + 1). */
export function scaleToUnitVariance(sample: Float32Array, sigma: number, out: Float32Array): void {
  const scale = sqrt32(f32(f32(sigma * sigma) + 1))
  for (let i = 0; i < sample.length; i++) out[i] = sample[i] / scale
}
