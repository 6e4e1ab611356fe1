import { addNoiseByLevel } from './add-noise.ts'
import { expm1f32, f32 } from './float32.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predNoiseFromAlpha, predOriginalFromAlpha } from './pred-original-sample.ts'
import { assertRunnable, booleanSetting, choiceSetting, numberSetting } from './scheduler-settings.ts'
import { solveLinear } from './solve-linear.ts'
import { type SolverLevel, solverSchedule } from './solver-schedule.ts'
import { weightedSum } from './weighted-sum.ts'

interface Settings {
  readonly order: number
  readonly predictsOriginal: boolean
  readonly solverType: 'bh1' | 'bh2'
  readonly lowerOrderFinal: boolean
  /** Steps after which the corrector stays away. */
  readonly uncorrected: readonly unknown[]
}

/** The part of an update that predictor and corrector share. */
interface Expansion {
  /** Weights of the sample and of the newest model output in the first-order step. */
  readonly sampleWeight: number
  readonly outputWeight: number
  /** Factor of the correction. */
  readonly scale: number
  /** Positions of the earlier model outputs in units of the step, newest first. */
  readonly ratios: readonly number[]
  /** The system that gives the correction's weights: rows of powers, and their right side. */
  readonly rows: readonly (readonly number[])[]
  readonly right: readonly number[]
}

/**
 * Zhao et al. (2023), "UniPC: a unified predictor-corrector framework for fast sampling of diffusion models": each model
 * output first corrects the step that led to it, then predicts the next.
 */
export function createUnipcRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const settings = readSettings(config)
  const { timesteps, levels } = solverSchedule(config, totalSteps, {
    zeroSnr: 'finite',
    sigmaMin: 'last',
    finalSigma: 'config',
    roundsKarras: true,
  })
  const predict = settings.predictsOriginal ? predOriginalFromAlpha : predNoiseFromAlpha
  /** Converted model outputs, newest first. */
  const outputs: Float32Array[] = []
  let lastSample: Float32Array | undefined
  let lastOrder = 0
  return {
    timesteps,
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levels[evaluation]),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample) {
      // 1. Convert the model output to what the algorithm works on.
      const converted = predict(config.predictionType, modelOutput, sample, levels[evaluation])
      // 2. Correct the sample with it.
      let corrected = sample
      if (lastSample !== undefined && !settings.uncorrected.includes(evaluation - 1)) {
        corrected = correct(expand(settings, levels, evaluation, lastOrder), lastSample, outputs, converted)
      }
      // 3. Predict the next sample; the order grows at the start and falls at the end.
      outputs.unshift(converted)
      outputs.length = Math.min(outputs.length, settings.order)
      lastOrder = Math.min(settings.lowerOrderFinal ? timesteps.length - evaluation : settings.order, outputs.length)
      lastSample = corrected
      return predictNext(expand(settings, levels, evaluation + 1, lastOrder), corrected, outputs)
    },
  }
}

function readSettings(config: NoiseScheduleConfig): Settings {
  const order = numberSetting(config, 'solver_order') ?? 2
  if (![1, 2, 3].includes(order)) throw new NoiseScheduleError(`solver_order: expected 1, 2 or 3, got ${order}`)
  if ((config.extra.solver_p ?? null) !== null) throw new NoiseScheduleError('solver_p: another predictor is not supported')
  const uncorrected = config.extra.disable_corrector ?? []
  if (!Array.isArray(uncorrected)) throw new NoiseScheduleError('disable_corrector: expected a list of steps')
  // Names of a sibling solver in a carried-over config mean this solver's default.
  const solverWord = choiceSetting(config, 'solver_type', ['bh1', 'bh2', 'midpoint', 'heun', 'logrho'], 'bh2')
  return {
    order,
    predictsOriginal: booleanSetting(config, 'predict_x0', true),
    solverType: solverWord === 'bh1' ? 'bh1' : 'bh2',
    lowerOrderFinal: booleanSetting(config, 'lower_order_final', true),
    uncorrected,
  }
}

/** Expands the step to level `to` in its length h, with `order - 1` model outputs before the newest. */
function expand(settings: Settings, levels: readonly SolverLevel[], to: number, order: number): Expansion {
  const target = levels[to]
  const from = levels[to - 1]
  const h = f32(target.lambda - from.lambda)
  const signed = settings.predictsOriginal ? -h : h
  const phi1 = expm1f32(signed)
  const scale = settings.solverType === 'bh1' ? signed : phi1
  const ratios = Array.from({ length: order - 1 }, (_, i) => f32(f32(levels[to - 2 - i].lambda - from.lambda) / h))
  const powers = [...ratios, 1]
  const rows: number[][] = []
  const right: number[] = []
  let phi = f32(f32(phi1 / signed) - 1)
  let factorial = 1
  for (let i = 1; i <= order; i++) {
    rows.push(powers.map((ratio) => ratio ** (i - 1)))
    right.push(f32(f32(phi * factorial) / scale))
    factorial *= i + 1
    phi = f32(f32(phi / signed) - 1 / factorial)
  }
  const weight = settings.predictsOriginal ? target.alpha : target.sigma
  const sampleWeight = settings.predictsOriginal ? f32(target.sigma / from.sigma) : f32(target.alpha / from.alpha)
  return { sampleWeight, outputWeight: f32(weight * phi1), scale: f32(weight * scale), ratios, rows, right }
}

function predictNext(expansion: Expansion, sample: Float32Array, outputs: readonly Float32Array[]): Float32Array {
  const { ratios, rows, right } = expansion
  const weights = ratios.length < 2 ? ratios.map(() => 0.5) : solveLinear(rows.slice(0, -1).map((row) => row.slice(0, -1)), right.slice(0, -1))
  return mix(expansion, sample, outputs, weights)
}

function correct(expansion: Expansion, lastSample: Float32Array, outputs: readonly Float32Array[], converted: Float32Array): Float32Array {
  const { ratios, rows, right, scale } = expansion
  const weights = ratios.length === 0 ? [0.5] : solveLinear(rows, right)
  const next = mix(expansion, lastSample, outputs, weights)
  const weight = scale * weights[weights.length - 1]
  const newest = outputs[0]
  for (let i = 0; i < next.length; i++) next[i] -= weight * (converted[i] - newest[i])
  return next
}

/** The first-order step and the correction by differences to earlier model outputs. */
function mix(expansion: Expansion, sample: Float32Array, outputs: readonly Float32Array[], weights: readonly number[]): Float32Array {
  const { sampleWeight, outputWeight, scale, ratios } = expansion
  const newest = outputs[0]
  const differenceWeights = ratios.map((ratio, k) => (scale * weights[k]) / ratio)
  // The differences' part of the newest model output is taken from its weight.
  const newestWeight = differenceWeights.reduce((sum, weight) => sum + weight, -outputWeight)
  const earlier = outputs.slice(1, 1 + ratios.length)
  return weightedSum([sample, newest, ...earlier], [sampleWeight, newestWeight, ...differenceWeights.map((weight) => -weight)])
}
