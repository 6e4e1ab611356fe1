import { addNoiseBySigma } from './add-noise.ts'
import { f32 } from './float32.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { predOriginalFromSigma } from './pred-original-sample.ts'
import { assertRunnable } from './scheduler-settings.ts'
import { scaleToUnitVariance, sigmaSchedule } from './sigma-schedule.ts'

/** Where a step began, kept until its second evaluation. */
interface FirstHalf {
  readonly sample: Float32Array
  readonly derivative: Float32Array
}

/** Heun's method on the probability flow ODE: algorithm 1 of Karras et al. (2022); two evaluations a step but the last. */
export function createHeunRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  const { timesteps, sigmas, initNoiseSigma } = sigmaSchedule(config, totalSteps, { zeroSnr: 'unsupported', canSpread: true })
  let firstHalf: FirstHalf | undefined
  /** Step that an evaluation belongs to: 0, 0, 1, 1, 2, …; its second evaluation is at the next sigma. */
  const sigmaOf = (evaluation: number) => sigmas[Math.ceil(evaluation / 2)]
  return {
    timesteps: timesteps.flatMap((timestep, i) => (i === 0 ? [timestep] : [timestep, timestep])),
    initNoiseSigma,
    addNoise: (latents, noise, evaluation) => addNoiseBySigma(latents, noise, sigmaOf(evaluation)),
    scaleModelInput: (sample, evaluation, out) => scaleToUnitVariance(sample, sigmaOf(evaluation), out),
    step(modelOutput, evaluation, sample) {
      const step = Math.floor(evaluation / 2)
      const dt = f32(sigmas[step + 1] - sigmas[step])
      const sigma = sigmaOf(evaluation)
      // 1. Predict the picture and turn it into a derivative.
      const derivative = predOriginalFromSigma(config.predictionType, modelOutput, sample, sigma)
      for (let i = 0; i < derivative.length; i++) derivative[i] = f32(sample[i] - derivative[i]) / sigma
      if (firstHalf === undefined) {
        // 2. Euler's step to the next sigma.
        firstHalf = { sample, derivative }
        const next = new Float32Array(sample.length)
        for (let i = 0; i < next.length; i++) next[i] = sample[i] + f32(derivative[i] * dt)
        return next
      }
      // 3. The same step again with the mean of both derivatives.
      const start = firstHalf
      firstHalf = undefined
      for (let i = 0; i < derivative.length; i++) {
        derivative[i] = start.sample[i] + f32(f32(f32(start.derivative[i] + derivative[i]) / 2) * dt)
      }
      return derivative
    },
  }
}
