import { f32, log32, sqrt32 } from './float32.ts'
import { alphasCumprod, trainingSigmas, type ZeroSnr } from './noise-levels.ts'
import type { NoiseScheduleConfig } from './noise-scheduler.ts'
import { choiceSetting } from './scheduler-settings.ts'
import { sigmaAt, sigmaRange, sigmaSpacing, sigmaToTimestep, spreadSigmas } from './sigma-spacing.ts'
import { roundHalfEven, solverTimesteps } from './timestep-spacing.ts'

/** A noise level as multistep solvers see it; alpha² + sigma² = 1. */
export interface SolverLevel {
  readonly alpha: number
  readonly sigma: number
  /** Half the logarithm of the signal-to-noise ratio: log(alpha) - log(sigma). */
  readonly lambda: number
}

/** The noise levels a multistep run passes. */
export interface SolverSchedule {
  readonly timesteps: readonly number[]
  /** One a step and the one that the run ends with. */
  readonly levels: readonly SolverLevel[]
}

/** What differs between the solvers. */
export interface SolverScheduleOptions {
  readonly zeroSnr: ZeroSnr
  /** `schedule` ends with the first training sigma, `last` repeats the last spread sigma where sigmas are spread. */
  readonly sigmaMin: 'schedule' | 'last'
  /** Where the run ends unless the model's config says it. */
  readonly finalSigma: 'config' | 'sigma_min'
  readonly roundsKarras: boolean
  /** One past the noisiest timestep, where the algorithm leaves some out. */
  readonly lastTimestep?: number
  /** Spreads evenly in log sigma and rounds the timesteps (Lu et al.). */
  readonly usesLuLambdas?: boolean
}

/** Lays a multistep run's noise levels out as the model's noise schedule says. */
export function solverSchedule(config: NoiseScheduleConfig, totalSteps: number, options: SolverScheduleOptions): SolverSchedule {
  const training = trainingSigmas(alphasCumprod(config, options.zeroSnr))
  const spacing = sigmaSpacing(config)
  let timesteps = solverTimesteps(config, totalSteps, options.lastTimestep)
  let sigmas = timesteps.map((timestep) => sigmaAt(timestep, training))
  const isLu = options.usesLuLambdas === true && spacing !== 'karras'
  if (spacing !== 'timesteps' || isLu) {
    const { min, max } = isLu ? { min: training[0], max: training[training.length - 1] } : sigmaRange(config, training.toReversed())
    const logSigmas = training.map(Math.log)
    sigmas = spreadSigmas(isLu || spacing === 'timesteps' ? 'exponential' : spacing, min, max, totalSteps)
    timesteps = sigmas.map((sigma) => sigmaToTimestep(sigma, logSigmas))
    if (isLu || (spacing === 'karras' && options.roundsKarras)) timesteps = timesteps.map(roundHalfEven)
  }
  const endsAtZero =
    options.finalSigma === 'config' && choiceSetting(config, 'final_sigmas_type', ['zero', 'sigma_min'], 'zero') === 'zero'
  const lastSigma = options.sigmaMin === 'last' && spacing !== 'timesteps' ? sigmas[sigmas.length - 1] : training[0]
  const all = Float32Array.from([...sigmas, endsAtZero ? 0 : lastSigma])
  // The networks take whole timesteps here, cut off as the reference does.
  return { timesteps: timesteps.map(Math.trunc), levels: Array.from(all, solverLevel) }
}

/** Brings x0 + sigma · noise to unit variance. */
function solverLevel(sigma: number): SolverLevel {
  const alpha = f32(1 / sqrt32(f32(f32(sigma * sigma) + 1)))
  const scaled = f32(sigma * alpha)
  return { alpha, sigma: scaled, lambda: f32(log32(alpha) - log32(scaled)) }
}
