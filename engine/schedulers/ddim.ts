import { addNoiseByLevel, levelOf } from './add-noise.ts'
import { f32, sqrt32 } from './float32.ts'
import { alphasCumprod } from './noise-levels.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predNoiseFromAlpha, predOriginalFromAlpha } from './pred-original-sample.ts'
import { assertRunnable, booleanSetting } from './scheduler-settings.ts'
import { wholeTimesteps } from './timestep-spacing.ts'

/** Song et al. (2021), "Denoising diffusion implicit models", with eta 0: no noise is added on the way. */
export function createDdimRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const alphas = alphasCumprod(config, 'exact')
  const timesteps = wholeTimesteps(config, totalSteps)
  const finalAlpha = booleanSetting(config, 'set_alpha_to_one', true) ? 1 : alphas[0]
  const stride = Math.floor(config.numTrainTimesteps / totalSteps)
  return {
    timesteps,
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levelOf(alphas[timesteps[evaluation]])),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample) {
      const timestep = timesteps[evaluation]
      // 1. Signal and noise of this sample and the next.
      const alphaProd = alphas[timestep]
      const nextAlphaProd = timestep >= stride ? alphas[timestep - stride] : finalAlpha
      const level = levelOf(alphaProd)
      // 2. Predict the picture and the noise (equation 12).
      const original = predOriginalFromAlpha(config.predictionType, modelOutput, sample, level)
      const epsilon = predNoiseFromAlpha(config.predictionType, modelOutput, sample, level)
      // 3. Mix them anew.
      const alpha = sqrt32(nextAlphaProd)
      const sigma = sqrt32(f32(1 - nextAlphaProd))
      for (let i = 0; i < original.length; i++) original[i] = f32(alpha * original[i]) + f32(sigma * epsilon[i])
      return original
    },
  }
}
