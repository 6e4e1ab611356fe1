import { f32, sqrt32 } from './float32.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { PredictionType } from './noise-scheduler.ts'

/** The picture a model output stands for, where the sample is x0 + sigma · noise. */
export function predOriginalFromSigma(type: PredictionType, modelOutput: Float32Array, sample: Float32Array, sigma: number): Float32Array {
  const out = new Float32Array(sample.length)
  switch (type) {
    case 'epsilon':
      for (let i = 0; i < out.length; i++) out[i] = sample[i] - f32(sigma * modelOutput[i])
      return out
    case 'vPrediction': {
      const variance = f32(f32(sigma * sigma) + 1)
      const outputScale = f32(-sigma / sqrt32(variance))
      for (let i = 0; i < out.length; i++) out[i] = f32(modelOutput[i] * outputScale) + f32(sample[i] / variance)
      return out
    }
    case 'sample':
      out.set(modelOutput)
      return out
    default:
      return refuse(type)
  }
}

/** The picture a model output stands for, where the sample is alpha · x0 + sigma · noise and alpha² + sigma² = 1. */
export function predOriginalFromAlpha(
  type: PredictionType,
  modelOutput: Float32Array,
  sample: Float32Array,
  { alpha, sigma }: { readonly alpha: number; readonly sigma: number },
): Float32Array {
  const out = new Float32Array(sample.length)
  switch (type) {
    case 'epsilon':
      for (let i = 0; i < out.length; i++) out[i] = f32(sample[i] - f32(sigma * modelOutput[i])) / alpha
      return out
    case 'vPrediction':
      for (let i = 0; i < out.length; i++) out[i] = f32(alpha * sample[i]) - f32(sigma * modelOutput[i])
      return out
    case 'sample':
      out.set(modelOutput)
      return out
    default:
      return refuse(type)
  }
}

/** The noise a model output stands for, where the sample is alpha · x0 + sigma · noise. */
export function predNoiseFromAlpha(
  type: PredictionType,
  modelOutput: Float32Array,
  sample: Float32Array,
  { alpha, sigma }: { readonly alpha: number; readonly sigma: number },
): Float32Array {
  const out = new Float32Array(sample.length)
  switch (type) {
    case 'epsilon':
      out.set(modelOutput)
      return out
    case 'vPrediction':
      for (let i = 0; i < out.length; i++) out[i] = f32(alpha * modelOutput[i]) + f32(sigma * sample[i])
      return out
    case 'sample':
      for (let i = 0; i < out.length; i++) out[i] = f32(sample[i] - f32(alpha * modelOutput[i])) / sigma
      return out
    default:
      return refuse(type)
  }
}

/** Refuses a prediction type that an algorithm cannot work with. */
export function assertPredictionType(type: PredictionType, known: readonly PredictionType[]): void {
  if (!known.includes(type)) throw new NoiseScheduleError(`prediction_type: expected ${known.join(' or ')}, got ${type}`)
}

function refuse(type: never): never {
  throw new NoiseScheduleError(`prediction_type: unknown value ${String(type)}`)
}
