import { addNoiseByLevel, levelOf } from './add-noise.ts'
import { f32, sqrt32 } from './float32.ts'
import { alphasCumprod } from './noise-levels.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { assertPredictionType } from './pred-original-sample.ts'
import { assertRunnable, booleanSetting } from './scheduler-settings.ts'
import { wholeTimesteps } from './timestep-spacing.ts'
import { weightedSum } from './weighted-sum.ts'

/** Steps that Runge-Kutta prepares, four evaluations each, when it is not skipped. */
const RUNGE_KUTTA_STEPS = 3
/** Weights of the last model outputs, newest first, by how many there are (Adams-Bashforth). */
const MULTISTEP_WEIGHTS = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
] as const

/** One evaluation: where the network looks, and the transfer from one timestep to another with a mix of model outputs. */
interface Evaluation {
  readonly timestep: number
  readonly from: number
  readonly to: number
  /** How the evaluation's output is used. */
  readonly role: 'multistep' | 'repeated' | 'rungeKutta'
}

/**
 * Liu et al. (2022), "Pseudo numerical methods for diffusion models on manifolds": linear multistep over predicted noise,
 * its first steps prepared by Runge-Kutta, or (skip_prk_steps) by evaluating the first one twice.
 */
export function createPndmRun(config: NoiseScheduleConfig, totalSteps: number, firstStep = 0): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  assertPredictionType(config.predictionType, ['epsilon', 'vPrediction'])
  const alphas = alphasCumprod(config, 'unsupported')
  const finalAlpha = booleanSetting(config, 'set_alpha_to_one', false) ? 1 : alphas[0]
  const alphaAt = (timestep: number) => (timestep >= 0 ? alphas[timestep] : finalAlpha)
  const evaluations = planEvaluations(config, totalSteps, firstStep)
  /** Model outputs the multistep looks back on, newest first. */
  const outputs: Float32Array[] = []
  /** Sample at the beginning of the step that is evaluated several times. */
  let start: Float32Array | undefined
  /** Runge-Kutta's weighted sum so far. */
  let sum: Float32Array | undefined
  const mixOutputs = (role: Evaluation['role'], evaluation: number, modelOutput: Float32Array): Float32Array => {
    if (role === 'repeated') return weightedSum([modelOutput, outputs[0]], [0.5, 0.5])
    if (role === 'multistep') {
      outputs.unshift(modelOutput.slice())
      outputs.length = Math.min(outputs.length, MULTISTEP_WEIGHTS.length)
      return weightedSum(outputs, MULTISTEP_WEIGHTS[outputs.length - 1])
    }
    const stage = evaluation % 4
    if (stage === 0) outputs.unshift(modelOutput.slice())
    const weight = stage === 0 || stage === 3 ? 1 / 6 : 1 / 3
    const mixed = (sum ??= new Float32Array(modelOutput.length))
    for (let i = 0; i < mixed.length; i++) mixed[i] += f32(weight * modelOutput[i])
    if (stage < 3) return modelOutput
    sum = undefined
    return mixed
  }
  return {
    timesteps: evaluations.map(({ timestep }) => timestep),
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levelOf(alphas[evaluations[evaluation].timestep])),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample) {
      const { from, to, role } = evaluations[evaluation]
      // 1. Mix this model output with earlier ones.
      const mixed = mixOutputs(role, evaluation, modelOutput)
      // 2. Find the sample that the step starts from.
      const isFirst = role === 'multistep' || (role === 'rungeKutta' && evaluation % 4 === 0)
      if (isFirst) start = sample
      // 3. Transfer it (formula 9).
      return transfer(config, start ?? sample, mixed, alphaAt(from), alphaAt(to))
    },
  }
}

/**
 * The evaluations of a run that leaves its first steps out. As in the reference an evaluation's role goes by its place in
 * what is left, and the list that steps are left out of has the repeated evaluations in it.
 */
function planEvaluations(config: NoiseScheduleConfig, totalSteps: number, firstStep: number): Evaluation[] {
  const skipsRungeKutta = booleanSetting(config, 'skip_prk_steps', false)
  if (!skipsRungeKutta && totalSteps <= RUNGE_KUTTA_STEPS) {
    throw new RangeError(`expected at least ${RUNGE_KUTTA_STEPS + 1} steps with PNDM where the model does not skip_prk_steps, got ${totalSteps}`)
  }
  const stride = Math.floor(config.numTrainTimesteps / totalSteps)
  const half = Math.floor(stride / 2)
  const timesteps = wholeTimesteps(config, totalSteps)
  const looks = skipsRungeKutta ? repeatSecond(timesteps) : prepareByRungeKutta(timesteps, half)
  const prepared = skipsRungeKutta ? 0 : 4 * RUNGE_KUTTA_STEPS
  // With no steps left there is nothing to evaluate, whatever the list has beside them.
  const left = firstStep < totalSteps ? looks.slice(firstStep) : []
  return left.map((timestep, place): Evaluation => {
    if (place < prepared) {
      return { timestep, from: looks[place - (place % 4)], to: place % 2 === 0 ? timestep - half : timestep, role: 'rungeKutta' }
    }
    if (skipsRungeKutta && place === 1) return { timestep, from: timestep + stride, to: timestep, role: 'repeated' }
    return { timestep, from: timestep, to: timestep - stride, role: 'multistep' }
  })
}

/** The second timestep is looked at twice. */
function repeatSecond(timesteps: readonly number[]): number[] {
  const [first, second, ...rest] = timesteps
  return second === undefined ? [first] : [first, second, second, ...rest]
}

/** The network looks at a step's start, twice halfway and at its end; the way halfway is counted from the next timestep. */
function prepareByRungeKutta(timesteps: readonly number[], half: number): number[] {
  const prepared = timesteps.slice(0, RUNGE_KUTTA_STEPS).flatMap((timestep, step) => {
    const next = timesteps[step + 1]
    return [timestep, next + half, next + half, next]
  })
  return [...prepared, ...timesteps.slice(RUNGE_KUTTA_STEPS)]
}

/** Formula 9 of the paper: moves a sample from one signal level to another along the predicted noise. */
function transfer(config: NoiseScheduleConfig, sample: Float32Array, output: Float32Array, alphaProd: number, nextAlphaProd: number) {
  const betaProd = f32(1 - alphaProd)
  const nextBetaProd = f32(1 - nextAlphaProd)
  const alpha = sqrt32(alphaProd)
  const sigma = sqrt32(betaProd)
  const sampleWeight = sqrt32(f32(nextAlphaProd / alphaProd))
  const divisor = f32(f32(alphaProd * sqrt32(nextBetaProd)) + sqrt32(f32(f32(alphaProd * betaProd) * nextAlphaProd)))
  const change = f32(nextAlphaProd - alphaProd)
  const isV = config.predictionType === 'vPrediction'
  const out = new Float32Array(sample.length)
  for (let i = 0; i < out.length; i++) {
    const epsilon = isV ? f32(f32(alpha * output[i]) + f32(sigma * sample[i])) : output[i]
    out[i] = f32(sampleWeight * sample[i]) - f32(f32(change * epsilon) / divisor)
  }
  return out
}
