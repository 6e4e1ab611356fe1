import { addNoiseBySigma } from './add-noise.ts'
import { exp32, expm1f32, f32, log32, sqrt32 } from './float32.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from './noise-scheduler.ts'
import { assertPredictionType, predOriginalFromSigma } from './pred-original-sample.ts'
import { assertRunnable } from './scheduler-settings.ts'
import { scaleToUnitVariance, sigmaSchedule } from './sigma-schedule.ts'
import { sigmaToTimestep } from './sigma-spacing.ts'

/** Where a step began and the noise its first half met, kept until its second evaluation. */
interface FirstHalf {
  readonly sample: Float32Array
  readonly fresh: Float32Array
}

/**
 * Stochastic DPM-Solver++ (1S) with a midpoint, Lu et al. (2022) as in k-diffusion; two evaluations a step but the last.
 *
 * A step's two halves must meet the same Brownian path. The reference reads that path from a tree of its own; here its two
 * increments are drawn from the request's noise, first half first, and the whole step's noise is their weighted sum. The
 * pictures are as likely as the reference's, but not the same ones for the same seed.
 */
export function createDpmSdeRun(config: NoiseScheduleConfig, totalSteps: number): NoiseSchedulerRun {
  assertRunnable(config, totalSteps)
  assertPredictionType(config.predictionType, ['epsilon', 'vPrediction'])
  const { timesteps, sigmas, logSigmas, initNoiseSigma } = sigmaSchedule(config, totalSteps, { zeroSnr: 'unsupported', canSpread: true })
  const midpoints = timesteps.map((_, step) => exp32(f32(log32(sigmas[step]) + log32(sigmas[step + 1])) * 0.5))
  const inputSigma = (evaluation: number) => (evaluation % 2 === 0 ? sigmas : midpoints)[evaluation >> 1]
  const lastStep = timesteps.length - 1
  let firstHalf: FirstHalf | undefined
  return {
    timesteps: timesteps.flatMap((timestep, step) => {
      return step === lastStep ? [timestep] : [timestep, sigmaToTimestep(Math.sqrt(sigmas[step] * sigmas[step + 1]), logSigmas)]
    }),
    initNoiseSigma,
    // Of a midpoint the reference gives what belongs to the step's end.
    addNoise: (latents, noise, evaluation) => addNoiseBySigma(latents, noise, sigmas[Math.ceil(evaluation / 2)]),
    scaleModelInput: (sample, evaluation, out) => scaleToUnitVariance(sample, inputSigma(evaluation), out),
    step(modelOutput, evaluation, sample, noise) {
      const step = evaluation >> 1
      const sigma = sigmas[step]
      // 1. Predict the picture; the last step ends there.
      const original = predOriginalFromSigma(config.predictionType, modelOutput, sample, inputSigma(evaluation))
      if (step === lastStep) return original
      const fresh = noise.next(sample.length)
      if (firstHalf === undefined) {
        // 2. Go to the midpoint.
        firstHalf = { sample, fresh }
        return ancestralStep(sample, original, fresh, sigma, midpoints[step])
      }
      // 3. With the midpoint's picture, go the whole way from the start.
      const { sample: start, fresh: firstFresh } = firstHalf
      firstHalf = undefined
      const path = joinIncrements(firstFresh, fresh, sigma - midpoints[step], midpoints[step] - sigmas[step + 1])
      return ancestralStep(start, original, path, sigma, sigmas[step + 1])
    },
  }
}

/** Unit noise over two intervals of a Brownian path, from the unit noise over each. */
function joinIncrements(first: Float32Array, second: Float32Array, firstLength: number, secondLength: number): Float32Array {
  const firstWeight = Math.sqrt(firstLength / (firstLength + secondLength))
  const secondWeight = Math.sqrt(secondLength / (firstLength + secondLength))
  const out = new Float32Array(first.length)
  for (let i = 0; i < out.length; i++) out[i] = firstWeight * first[i] + secondWeight * second[i]
  return out
}

/** Goes exponentially towards the picture, below the sigma aimed at, and adds noise up to it. */
function ancestralStep(sample: Float32Array, original: Float32Array, fresh: Float32Array, from: number, to: number): Float32Array {
  const fromSquare = f32(from * from)
  const toSquare = f32(to * to)
  const up = Math.min(to, sqrt32(f32(f32(toSquare * f32(fromSquare - toSquare)) / fromSquare)))
  const down = sqrt32(f32(toSquare - f32(up * up)))
  const sampleWeight = f32(down / from)
  const originalWeight = expm1f32(f32(log32(down) - log32(from)))
  const out = new Float32Array(sample.length)
  for (let i = 0; i < out.length; i++) out[i] = f32(f32(sampleWeight * sample[i]) - f32(originalWeight * original[i])) + f32(fresh[i] * up)
  return out
}
