import { addNoiseBySigma } from './add-noise.ts'
import { f32, sqrt32 } from './float32.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { assertPredictionType, predOriginalFromSigma } from './pred-original-sample.ts'
import { assertRunnable } from './scheduler-settings.ts'
import { scaleToUnitVariance, sigmaSchedule } from './sigma-schedule.ts'

/** Euler's method with ancestral sampling: each step goes below the next sigma and adds fresh noise up to it. */
export function createEulerAncestralRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  assertPredictionType(config.predictionType, ['epsilon', 'vPrediction'])
  const { timesteps, sigmas, initNoiseSigma } = sigmaSchedule(config, totalSteps, { zeroSnr: 'finite', canSpread: false })
  return {
    timesteps,
    initNoiseSigma,
    addNoise: (latents, noise, evaluation) => addNoiseBySigma(latents, noise, sigmas[evaluation]),
    scaleModelInput: (sample, evaluation, out) => scaleToUnitVariance(sample, sigmas[evaluation], out),
    step(modelOutput, evaluation, sample, noise) {
      const sigma = sigmas[evaluation]
      const { up, down } = splitSigma(sigma, sigmas[evaluation + 1])
      // 1. Predict the picture.
      const original = predOriginalFromSigma(config.predictionType, modelOutput, sample, sigma)
      // 2. Follow the derivative below the next sigma, then add noise. The last step draws too, as the reference does.
      const dt = f32(down - sigma)
      const fresh = noise.next(sample.length)
      for (let i = 0; i < original.length; i++) {
        const moved = f32(sample[i] + f32(f32(f32(sample[i] - original[i]) / sigma) * dt))
        original[i] = moved + f32(fresh[i] * up)
      }
      return original
    },
  }
}

/** Splits a step into the sigma to go down to and the noise to add: down² + up² = next². */
export function splitSigma(sigma: number, next: number): { readonly up: number; readonly down: number } {
  const square = f32(sigma * sigma)
  const nextSquare = f32(next * next)
  const up = sqrt32(f32(f32(nextSquare * f32(square - nextSquare)) / square))
  const down = sqrt32(f32(nextSquare - f32(up * up)))
  return { up, down }
}
