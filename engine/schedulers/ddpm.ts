import { addNoiseByLevel, levelOf } from './add-noise.ts'
import { f32, sqrt32 } from './float32.ts'
import { alphasCumprod } from './noise-levels.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predOriginalFromAlpha } from './pred-original-sample.ts'
import { assertRunnable, choiceSetting } from './scheduler-settings.ts'
import { wholeTimesteps } from './timestep-spacing.ts'

const SMALLEST_VARIANCE = 1e-20
const VARIANCE_TYPES = ['fixed_small', 'fixed_small_log', 'fixed_large'] as const

/** Ho et al. (2020), "Denoising diffusion probabilistic models": each step draws from the posterior of the next sample. */
export function createDdpmRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const varianceType = choiceSetting(config, 'variance_type', VARIANCE_TYPES, 'fixed_small')
  const alphas = alphasCumprod(config, 'exact')
  const timesteps = wholeTimesteps(config, totalSteps)
  return {
    timesteps,
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levelOf(alphas[timesteps[evaluation]])),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample, noise) {
      const timestep = timesteps[evaluation]
      // 1. Signal and noise of this sample and the next.
      const alphaProd = alphas[timestep]
      const nextAlphaProd = evaluation + 1 < timesteps.length ? alphas[timesteps[evaluation + 1]] : 1
      const betaProd = f32(1 - alphaProd)
      const nextBetaProd = f32(1 - nextAlphaProd)
      const alpha = f32(alphaProd / nextAlphaProd)
      const beta = f32(1 - alpha)
      // 2. Predict the picture (formula 15).
      const level = { alpha: sqrt32(alphaProd), sigma: sqrt32(betaProd) }
      const original = predOriginalFromAlpha(config.predictionType, modelOutput, sample, level)
      // 3. The posterior's mean (formula 7).
      const originalWeight = f32(f32(sqrt32(nextAlphaProd) * beta) / betaProd)
      const sampleWeight = f32(f32(sqrt32(alpha) * nextBetaProd) / betaProd)
      for (let i = 0; i < original.length; i++) original[i] = f32(originalWeight * original[i]) + f32(sampleWeight * sample[i])
      if (timestep === 0) return original
      // 4. The posterior's spread.
      const variance = Math.max(f32(f32(nextBetaProd / betaProd) * beta), SMALLEST_VARIANCE)
      const deviation = sqrt32(varianceType === 'fixed_large' ? beta : variance)
      const fresh = noise.next(sample.length)
      for (let i = 0; i < original.length; i++) original[i] += f32(deviation * fresh[i])
      return original
    },
  }
}
