import { f32, sqrt32 } from './float32.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig } from './noise-scheduler.ts'

/** Stands in for a signal of zero where an algorithm divides by it; as large a noise as single precision likes. */
const SMALLEST_ALPHA_CUMPROD = 2 ** -24

/** How an algorithm treats a schedule that is rescaled to end in pure noise. */
export type ZeroSnr = 'unsupported' | 'exact' | 'finite'

/**
 * The share of signal left at each training timestep, in single precision as PyTorch computes it.
 * @param zeroSnr `unsupported` leaves the schedule as trained, `exact` ends in 0, `finite` in 2^-24.
 */
export function alphasCumprod(config: NoiseScheduleConfig, zeroSnr: ZeroSnr): Float32Array {
  const isRescaled = config.rescaleBetasZeroSnr && zeroSnr !== 'unsupported'
  const betas = isRescaled ? rescaleToZeroSnr(trainingBetas(config)) : trainingBetas(config)
  const products = cumulativeProducts(betas)
  if (isRescaled && zeroSnr === 'finite') products[products.length - 1] = SMALLEST_ALPHA_CUMPROD
  return products
}

/** Noise relative to signal at each training timestep: sqrt((1 - ᾱ) / ᾱ). */
export function trainingSigmas(alphas: Float32Array): Float32Array {
  return alphas.map((alpha) => sqrt32(f32(f32(1 - alpha) / alpha)))
}

function trainingBetas(config: NoiseScheduleConfig): Float32Array {
  const { trainedBetas, numTrainTimesteps, betaStart, betaEnd, betaSchedule } = config
  if (trainedBetas !== undefined) return Float32Array.from(trainedBetas)
  switch (betaSchedule) {
    case 'linear':
      return linspace32(betaStart, betaEnd, numTrainTimesteps)
    case 'scaled_linear':
      return linspace32(Math.sqrt(betaStart), Math.sqrt(betaEnd), numTrainTimesteps).map((root) => root * root)
    case 'squaredcos_cap_v2':
      return cosineBetas(numTrainTimesteps)
    default: {
      const unknown: never = betaSchedule
      throw new NoiseScheduleError(`beta_schedule: expected linear, scaled_linear or squaredcos_cap_v2, got ${String(unknown)}`)
    }
  }
}

/** Evenly spaced values; like PyTorch, counted from both ends so that both are met. */
function linspace32(start: number, end: number, count: number): Float32Array {
  const values = new Float32Array(count)
  const first = f32(start)
  const last = f32(end)
  const stride = count > 1 ? f32(f32(last - first) / (count - 1)) : 0
  const half = Math.floor(count / 2)
  for (let i = 0; i < count; i++) values[i] = i < half || count === 1 ? first + stride * i : last - stride * (count - 1 - i)
  return values
}

/** Nichol and Dhariwal (2021), "Improved denoising diffusion probabilistic models", equation 17. */
function cosineBetas(count: number): Float32Array {
  const largestBeta = 0.999
  const alphaBar = (time: number) => Math.cos((((time + 0.008) / 1.008) * Math.PI) / 2) ** 2
  return Float32Array.from({ length: count }, (_, i) => Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), largestBeta))
}

function cumulativeProducts(betas: Float32Array): Float32Array {
  // PyTorch keeps the running product in double precision and rounds each value it writes.
  let product = 1
  return betas.map((beta) => (product *= f32(1 - beta)))
}

/** Lin et al. (2023), "Common diffusion noise schedules and sample steps are flawed", algorithm 1. */
function rescaleToZeroSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeProducts(betas).map((product) => sqrt32(product))
  const first = roots[0]
  const last = roots[roots.length - 1]
  const scale = f32(first / f32(first - last))
  const rescaled = roots.map((root) => f32(f32(root - last) * scale)).map((root) => root * root)
  return rescaled.map((product, i) => 1 - (i === 0 ? product : f32(product / rescaled[i - 1])))
}
