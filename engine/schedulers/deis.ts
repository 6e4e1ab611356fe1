import { addNoiseByLevel } from './add-noise.ts'
import { exp32, f32 } from './float32.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predNoiseFromAlpha } from './pred-original-sample.ts'
import { assertRunnable, booleanSetting, choiceSetting, numberSetting } from './scheduler-settings.ts'
import { type SolverLevel, solverSchedule } from './solver-schedule.ts'
import { weightedSum } from './weighted-sum.ts'

/** Runs shorter than this take their last steps at a lower order. */
const SHORT_RUN = 15
const ALGORITHM_TYPES = ['deis', 'dpmsolver', 'dpmsolver++'] as const
const SOLVER_TYPES = ['logrho', 'midpoint', 'heun', 'bh1', 'bh2'] as const

/**
 * Zhang and Chen (2023), "Fast sampling of diffusion models with exponential integrator": integrates the polynomial through
 * the last predicted noises, in the logarithm of rho = sigma / alpha.
 */
export function createDeisRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  // There is one kind; names of a sibling solver in a carried-over config mean it too.
  choiceSetting(config, 'algorithm_type', ALGORITHM_TYPES, 'deis')
  choiceSetting(config, 'solver_type', SOLVER_TYPES, 'logrho')
  const maxOrder = numberSetting(config, 'solver_order') ?? 2
  if (![1, 2, 3].includes(maxOrder)) throw new NoiseScheduleError(`solver_order: expected 1, 2 or 3, got ${maxOrder}`)
  const lowerOrderFinal = booleanSetting(config, 'lower_order_final', true)
  const { timesteps, levels } = solverSchedule(config, totalSteps, {
    zeroSnr: 'unsupported',
    sigmaMin: 'last',
    finalSigma: 'sigma_min',
    roundsKarras: true,
  })
  /** Predicted noises, newest first. */
  const outputs: Float32Array[] = []
  return {
    timesteps,
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levels[evaluation]),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample) {
      // 1. Predict the noise.
      outputs.unshift(predNoiseFromAlpha(config.predictionType, modelOutput, sample, levels[evaluation]))
      outputs.length = Math.min(outputs.length, maxOrder)
      // 2. Choose the order: it grows at the start and falls at the end of short runs.
      const left = timesteps.length - evaluation
      const order = lowerOrderFinal && timesteps.length < SHORT_RUN ? Math.min(outputs.length, left) : outputs.length
      // 3. Integrate.
      const from = levels[evaluation]
      const to = levels[evaluation + 1]
      const sampleWeight = f32(to.alpha / from.alpha)
      const weights = order === 1 ? [firstOrderWeight(from, to)] : polynomialWeights(levels, evaluation, order)
      return weightedSum([sample, ...outputs.slice(0, order)], [sampleWeight, ...weights])
    },
  }
}

function firstOrderWeight(from: SolverLevel, to: SolverLevel): number {
  return f32(-to.sigma * f32(exp32(f32(to.lambda - from.lambda)) - 1))
}

/** The integral over the step of each Lagrange polynomial in log rho, times alpha at the step's end. */
function polynomialWeights(levels: readonly SolverLevel[], evaluation: number, order: number): number[] {
  const rho = (level: SolverLevel) => f32(level.sigma / level.alpha)
  const target = rho(levels[evaluation + 1])
  const known = Array.from({ length: order }, (_, k) => rho(levels[evaluation - k]))
  return known.map((own, k) => {
    const others = known.filter((_, i) => i !== k)
    return levels[evaluation + 1].alpha * (antiderivative(target, own, others) - antiderivative(known[0], own, others))
  })
}

/** Antiderivative in t of the product of (log t - log c) / (log b - log c) over the one or two c. */
function antiderivative(t: number, b: number, others: readonly number[]): number {
  const logT = Math.log(t)
  const [logC, logD] = others.map(Math.log)
  if (others.length === 1) return (t * (logT - 1 - logC)) / (Math.log(b) - logC)
  const numerator = t * (logC * (logD - logT + 1) - logD * logT + logD + logT ** 2 - 2 * logT + 2)
  return numerator / ((Math.log(b) - logC) * (Math.log(b) - logD))
}
