import { addNoiseBySigma } from './add-noise.ts'
import { f32 } from './float32.ts'
import { alphasCumprod, trainingSigmas } from './noise-levels.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predOriginalFromSigma } from './pred-original-sample.ts'
import { assertRunnable, choiceSetting } from './scheduler-settings.ts'
import { assertPlainSigmas, scaleToUnitVariance, sigmaSchedule } from './sigma-schedule.ts'

/** Euler's method on the probability flow ODE: algorithm 2 of Karras et al. (2022) without churn. */
export function createEulerRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  assertPlainSigmas(config)
  const { timesteps, sigmas, initNoiseSigma } = sigmaSchedule(config, totalSteps, { zeroSnr: 'finite', canSpread: true })
  if (choiceSetting(config, 'final_sigmas_type', ['zero', 'sigma_min'], 'zero') === 'sigma_min') {
    sigmas[sigmas.length - 1] = trainingSigmas(alphasCumprod(config, 'finite'))[0]
  }
  return {
    timesteps,
    initNoiseSigma,
    addNoise: (latents, noise, evaluation) => addNoiseBySigma(latents, noise, sigmas[evaluation]),
    scaleModelInput: (sample, evaluation, out) => scaleToUnitVariance(sample, sigmas[evaluation], out),
    step(modelOutput, evaluation, sample) {
      const sigma = sigmas[evaluation]
      // 1. Predict the picture.
      const original = predOriginalFromSigma(config.predictionType, modelOutput, sample, sigma)
      // 2. Turn it into a derivative and follow that to the next sigma.
      const dt = f32(sigmas[evaluation + 1] - sigma)
      for (let i = 0; i < original.length; i++) original[i] = sample[i] + f32(f32(f32(sample[i] - original[i]) / sigma) * dt)
      return original
    },
  }
}
