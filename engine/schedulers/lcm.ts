import { addNoiseByLevel, levelOf } from './add-noise.ts'
import { f32, sqrt32 } from './float32.ts'
import { alphasCumprod } from './noise-levels.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predOriginalFromAlpha } from './pred-original-sample.ts'
import { assertRunnable, numberSetting } from './scheduler-settings.ts'

/** Standard deviation the boundary condition takes pictures to have. */
const SIGMA_DATA = 0.5

/** Luo et al. (2023), "Latent consistency models": jump to the picture, add noise back, jump again. */
export function createLcmRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const alphas = alphasCumprod(config, 'exact')
  const timesteps = lcmTimesteps(config, totalSteps)
  const timestepScaling = numberSetting(config, 'timestep_scaling') ?? 10
  return {
    timesteps,
    initNoiseSigma: 1,
    addNoise: (latents, noise, evaluation) => addNoiseByLevel(latents, noise, levelOf(alphas[timesteps[evaluation]])),
    scaleModelInput: (sample, _evaluation, out) => out.set(sample),
    step(modelOutput, evaluation, sample, noise) {
      const timestep = timesteps[evaluation]
      // 1. Predict the picture.
      const alphaProd = alphas[timestep]
      const level = levelOf(alphaProd)
      const original = predOriginalFromAlpha(config.predictionType, modelOutput, sample, level)
      // 2. Blend with the sample so that timestep 0 is left as it is.
      const scaled = timestep * timestepScaling
      const skip = f32(SIGMA_DATA ** 2 / (scaled ** 2 + SIGMA_DATA ** 2))
      const jump = f32(scaled / Math.sqrt(scaled ** 2 + SIGMA_DATA ** 2))
      for (let i = 0; i < original.length; i++) original[i] = f32(jump * original[i]) + f32(skip * sample[i])
      if (evaluation === timesteps.length - 1) return original
      // 3. Go back to the noise of the next timestep.
      const nextAlphaProd = alphas[timesteps[evaluation + 1]]
      const alpha = sqrt32(nextAlphaProd)
      const sigma = sqrt32(f32(1 - nextAlphaProd))
      const fresh = noise.next(sample.length)
      for (let i = 0; i < original.length; i++) original[i] = f32(alpha * original[i]) + f32(sigma * fresh[i])
      return original
    },
  }
}

/** Picks timesteps evenly from those the model was distilled on. */
function lcmTimesteps(config: NoiseScheduleConfig, totalSteps: number): number[] {
  const originalSteps = numberSetting(config, 'original_inference_steps') ?? 50
  if (!Number.isInteger(originalSteps) || originalSteps < 1 || originalSteps > config.numTrainTimesteps) {
    throw new NoiseScheduleError(`original_inference_steps: expected 1 to ${config.numTrainTimesteps}, got ${originalSteps}`)
  }
  if (totalSteps > originalSteps) throw new RangeError(`expected 1 to ${originalSteps} steps with LCM, got ${totalSteps}`)
  const stride = Math.floor(config.numTrainTimesteps / originalSteps)
  return Array.from({ length: totalSteps }, (_, i) => {
    const skipped = Math.floor(i * (originalSteps / totalSteps))
    return (originalSteps - skipped) * stride - 1
  })
}
