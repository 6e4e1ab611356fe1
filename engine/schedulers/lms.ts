import { addNoiseBySigma } from './add-noise.ts'
import { f32 } from './float32.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predOriginalFromSigma } from './pred-original-sample.ts'
import { assertRunnable } from './scheduler-settings.ts'
import { scaleToUnitVariance, sigmaSchedule } from './sigma-schedule.ts'
import { weightedSum } from './weighted-sum.ts'

/** Derivatives a step looks back on. */
const ORDER = 4

/** Linear multistep method on the probability flow ODE (Crowson, k-diffusion). */
export function createLmsRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const { timesteps, sigmas, initNoiseSigma } = sigmaSchedule(config, totalSteps, { zeroSnr: 'unsupported', canSpread: true })
  /** Newest first. */
  const derivatives: Float32Array[] = []
  return {
    timesteps,
    initNoiseSigma,
    addNoise: (latents, noise, evaluation) => addNoiseBySigma(latents, noise, sigmas[evaluation]),
    scaleModelInput: (sample, evaluation, out) => scaleToUnitVariance(sample, sigmas[evaluation], out),
    step(modelOutput, evaluation, sample) {
      const sigma = sigmas[evaluation]
      // 1. Predict the picture and turn it into a derivative.
      const derivative = predOriginalFromSigma(config.predictionType, modelOutput, sample, sigma)
      for (let i = 0; i < derivative.length; i++) derivative[i] = f32(sample[i] - derivative[i]) / sigma
      derivatives.unshift(derivative)
      derivatives.length = Math.min(derivatives.length, ORDER)
      // 2. Integrate the polynomial through the last derivatives up to the next sigma.
      // A run that begins in the middle has fewer than the reference counts; it leaves the missing ones out of the sum.
      const order = Math.min(evaluation + 1, ORDER)
      const weights = derivatives.map((_, current) => lmsWeight(sigmas, evaluation, order, current))
      return weightedSum([sample, ...derivatives], [1, ...weights])
    },
  }
}

/** The integral of the Lagrange polynomial that is 1 at one sigma and 0 at the others, over the step. */
function lmsWeight(sigmas: Float32Array, evaluation: number, order: number, current: number): number {
  const polynomial = (tau: number): number => {
    let product = 1
    for (let k = 0; k < order; k++) {
      if (k === current) continue
      product *= (tau - sigmas[evaluation - k]) / (sigmas[evaluation - current] - sigmas[evaluation - k])
    }
    return product
  }
  // Two Gauss-Legendre points integrate a cubic exactly.
  const middle = (sigmas[evaluation] + sigmas[evaluation + 1]) / 2
  const half = (sigmas[evaluation + 1] - sigmas[evaluation]) / 2
  const offset = half / Math.sqrt(3)
  return half * (polynomial(middle - offset) + polynomial(middle + offset))
}
