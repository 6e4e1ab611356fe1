import { addNoiseByLevel } from './add-noise.ts'
import { exp32, f32, log32, sqrt32 } from './float32.ts'
import { alphasCumprod } from './noise-levels.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predNoiseFromAlpha, predOriginalFromAlpha } from './pred-original-sample.ts'
import { assertRunnable, booleanSetting, choiceSetting, numberSetting } from './scheduler-settings.ts'
import { type SolverLevel, solverSchedule } from './solver-schedule.ts'
import { weightedSum } from './weighted-sum.ts'

const ALGORITHMS = ['dpmsolver', 'dpmsolver++', 'sde-dpmsolver', 'sde-dpmsolver++'] as const
type Algorithm = (typeof ALGORITHMS)[number]
type SolverType = 'midpoint' | 'heun'

/** Runs shorter than this take their last steps at a lower order. */
const SHORT_RUN = 15

/** What an update mixes: weights of the sample, of the model outputs (newest first) and of fresh noise. */
interface Mix {
  readonly sample: number
  readonly outputs: readonly number[]
  readonly noise: number
}

/**
 * Lu et al. (2022), "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models", multistep,
 * orders 1 to 3, as an ODE or an SDE; also the first DPM-Solver, which works on predicted noise.
 */
export function createDpmMultistepRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const settings = readSettings(config)
  const { timesteps, levels } = solverSchedule(config, totalSteps, {
    zeroSnr: 'finite',
    sigmaMin: 'schedule',
    finalSigma: 'config',
    roundsKarras: config.betaSchedule !== 'squaredcos_cap_v2',
    lastTimestep: lastTimestep(config),
    usesLuLambdas: booleanSetting(config, 'use_lu_lambdas', false),
  })
  const predict = settings.algorithm.endsWith('++') ? predOriginalFromAlpha : predNoiseFromAlpha
  const isSde = settings.algorithm.startsWith('sde')
  /** Converted model outputs, newest first. */
  const outputs: Float32Array[] = []
  return {
    timesteps,
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levels[evaluation]),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample, noise) {
      // 1. Convert the model output to what the algorithm works on.
      outputs.unshift(predict(config.predictionType, modelOutput, sample, levels[evaluation]))
      outputs.length = Math.min(outputs.length, settings.order)
      // 2. Choose the order: it grows at the start and falls at the end.
      const order = orderOf(settings, evaluation, timesteps.length, outputs.length)
      // 3. Mix sample, model outputs and noise.
      const mix = mixOf(settings, levels, evaluation, order)
      const known = [sample, ...outputs.slice(0, order)]
      if (!isSde) return weightedSum(known, [mix.sample, ...mix.outputs])
      return weightedSum([...known, noise.next(sample.length)], [mix.sample, ...mix.outputs, mix.noise])
    },
  }
}

interface Settings {
  readonly algorithm: Algorithm
  readonly solverType: SolverType
  readonly order: number
  readonly lowerOrderFinal: boolean
  readonly isFinalFirstOrder: boolean
}

function readSettings(config: NoiseScheduleConfig): Settings {
  // Names of a sibling solver in a carried-over config mean this solver's default.
  const algorithmWord = choiceSetting(config, 'algorithm_type', [...ALGORITHMS, 'deis'], 'dpmsolver++')
  const algorithm = algorithmWord === 'deis' ? 'dpmsolver++' : algorithmWord
  const solverWord = choiceSetting(config, 'solver_type', ['midpoint', 'heun', 'logrho', 'bh1', 'bh2'], 'midpoint')
  const solverType = solverWord === 'heun' ? 'heun' : 'midpoint'
  const order = numberSetting(config, 'solver_order') ?? 2
  if (![1, 2, 3].includes(order)) throw new NoiseScheduleError(`solver_order: expected 1, 2 or 3, got ${order}`)
  if (order === 3 && algorithm === 'sde-dpmsolver') throw new NoiseScheduleError('solver_order: sde-dpmsolver knows 1 and 2, got 3')
  const finalSigmas = choiceSetting(config, 'final_sigmas_type', ['zero', 'sigma_min'], 'zero')
  if (!algorithm.endsWith('++') && finalSigmas === 'zero') {
    throw new NoiseScheduleError(`final_sigmas_type: expected sigma_min with algorithm_type ${algorithm}, got zero`)
  }
  const lowerOrderFinal = booleanSetting(config, 'lower_order_final', true)
  const isFinalFirstOrder = booleanSetting(config, 'euler_at_final', false) || finalSigmas === 'zero'
  return { algorithm, solverType, order, lowerOrderFinal, isFinalFirstOrder }
}

/** Leaves out the noisiest timesteps whose lambda lies below `lambda_min_clipped`. */
function lastTimestep(config: NoiseScheduleConfig): number {
  const clipped = config.extra.lambda_min_clipped
  // JSON has no infinity; diffusers writes its default, minus infinity, as such and others write it as a string.
  if (typeof clipped !== 'number' || !Number.isFinite(clipped)) return config.numTrainTimesteps
  const alphas = alphasCumprod(config, 'finite')
  return alphas.filter((alpha) => log32(sqrt32(alpha)) - log32(sqrt32(f32(1 - alpha))) >= clipped).length
}

function orderOf(settings: Settings, evaluation: number, total: number, known: number): number {
  const shortens = settings.lowerOrderFinal && total < SHORT_RUN
  if (evaluation === total - 1 && (settings.isFinalFirstOrder || shortens)) return 1
  if (evaluation === total - 2 && shortens) return Math.min(2, known)
  return known
}

function mixOf(settings: Settings, levels: readonly SolverLevel[], evaluation: number, order: number): Mix {
  const from = levels[evaluation]
  const to = levels[evaluation + 1]
  const h = f32(to.lambda - from.lambda)
  const base = baseOf(settings.algorithm, from, to, h)
  if (order === 1) return { ...base, outputs: [base.d0] }
  // Divided differences of the model outputs: D1 = (m0 - m1) / r0 and so on.
  const r0 = f32(f32(from.lambda - levels[evaluation - 1].lambda) / h)
  if (order === 2) {
    const d1 = settings.solverType === 'midpoint' ? base.d0 / 2 : base.d1
    return { ...base, outputs: [base.d0 + d1 / r0, -d1 / r0] }
  }
  const r1 = f32(f32(levels[evaluation - 1].lambda - levels[evaluation - 2].lambda) / h)
  // D1 = D1_0 + r0 / (r0 + r1) · (D1_0 - D1_1) and D2 = (D1_0 - D1_1) / (r0 + r1).
  const share = r0 / (r0 + r1)
  const first = base.d1 * (1 + share) + base.d2 / (r0 + r1)
  const second = -base.d1 * share - base.d2 / (r0 + r1)
  return { ...base, outputs: [base.d0 + first / r0, -first / r0 + second / r1, -second / r1] }
}

/** Weights of the sample, of the terms D0, D1 (solver type heun) and D2, and of the noise. */
function baseOf(algorithm: Algorithm, from: SolverLevel, to: SolverLevel, h: number) {
  switch (algorithm) {
    case 'dpmsolver++': {
      const phi = f32(exp32(-h) - 1)
      return {
        sample: f32(to.sigma / from.sigma),
        d0: f32(-to.alpha * phi),
        d1: f32(to.alpha * f32(f32(phi / h) + 1)),
        d2: f32(-to.alpha * f32(f32(f32(phi + h) / f32(h * h)) - 0.5)),
        noise: 0,
      }
    }
    case 'dpmsolver': {
      const phi = f32(exp32(h) - 1)
      return {
        sample: f32(to.alpha / from.alpha),
        d0: f32(-to.sigma * phi),
        d1: f32(-to.sigma * f32(f32(phi / h) - 1)),
        d2: f32(-to.sigma * f32(f32(f32(phi - h) / f32(h * h)) - 0.5)),
        noise: 0,
      }
    }
    case 'sde-dpmsolver++': {
      const phi = f32(1 - exp32(-2 * h))
      return {
        sample: f32(f32(to.sigma / from.sigma) * exp32(-h)),
        d0: f32(to.alpha * phi),
        d1: f32(to.alpha * f32(f32(phi / f32(-2 * h)) + 1)),
        d2: f32(to.alpha * f32(f32(f32(phi - f32(2 * h)) / f32(f32(2 * h) ** 2)) - 0.5)),
        noise: f32(to.sigma * sqrt32(phi)),
      }
    }
    case 'sde-dpmsolver': {
      const phi = f32(exp32(h) - 1)
      return {
        sample: f32(to.alpha / from.alpha),
        d0: f32(-2 * to.sigma * phi),
        d1: f32(-2 * to.sigma * f32(f32(phi / h) - 1)),
        d2: 0,
        noise: f32(to.sigma * sqrt32(f32(exp32(2 * h) - 1))),
      }
    }
    default: {
      const unknown: never = algorithm
      throw new Error(`unknown algorithm ${String(unknown)}`)
    }
  }
}
