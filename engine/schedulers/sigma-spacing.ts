import { betaQuantile } from './beta-quantile.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig } from './noise-scheduler.ts'
import { booleanSetting, numberSetting } from './scheduler-settings.ts'
import { linspace } from './timestep-spacing.ts'

/** How the sigmas of a run are spread between its largest and its smallest. */
export type SigmaSpacing = 'timesteps' | 'karras' | 'exponential' | 'beta'

/** Curvature of the Karras spacing. */
const KARRAS_RHO = 7
/** Both shape parameters of the beta spacing. */
const BETA_SHAPE = 0.6

/** The spacing a model's scheduler_config.json, or the name the algorithm was asked by, calls for. */
export function sigmaSpacing(config: NoiseScheduleConfig): SigmaSpacing {
  const spacings = (['karras', 'exponential', 'beta'] as const).filter((name) => booleanSetting(config, `use_${name}_sigmas`, false))
  if (spacings.length > 1) {
    throw new NoiseScheduleError(`expected at most one of use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas, got ${spacings.length}`)
  }
  return spacings[0] ?? 'timesteps'
}

/** Ends between which sigmas are spread: the config's where the algorithm knows such keys, else the schedule's own. */
export function sigmaRange(config: NoiseScheduleConfig, sigmas: ArrayLike<number>): { readonly min: number; readonly max: number } {
  const min = numberSetting(config, 'sigma_min') ?? sigmas[sigmas.length - 1]
  const max = numberSetting(config, 'sigma_max') ?? sigmas[0]
  return { min, max }
}

/** Spreads `count` sigmas from `max` down to `min`. */
export function spreadSigmas(spacing: Exclude<SigmaSpacing, 'timesteps'>, min: number, max: number, count: number): number[] {
  switch (spacing) {
    case 'karras': {
      // Karras et al. (2022), "Elucidating the design space of diffusion-based generative models", equation 5.
      const from = max ** (1 / KARRAS_RHO)
      const to = min ** (1 / KARRAS_RHO)
      return linspace(0, 1, count).map((ramp) => (from + ramp * (to - from)) ** KARRAS_RHO)
    }
    case 'exponential':
      return linspace(Math.log(max), Math.log(min), count).map(Math.exp)
    case 'beta':
      // Lee et al. (2024), "Beta sampling is all you need".
      return linspace(0, 1, count).map((ramp) => min + betaQuantile(1 - ramp, BETA_SHAPE, BETA_SHAPE) * (max - min))
    default: {
      const unknown: never = spacing
      throw new Error(`unknown sigma spacing ${String(unknown)}`)
    }
  }
}

/** Where a sigma lies among the training timesteps, by linear interpolation of its logarithm. */
export function sigmaToTimestep(sigma: number, logSigmas: Float32Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10))
  let low = 0
  let end = logSigmas.length
  // 1. The last training timestep that is not noisier (they rise).
  while (end - low > 1) {
    const middle = (low + end) >> 1
    if (logSigmas[middle] <= logSigma) low = middle
    else end = middle
  }
  low = Math.min(low, logSigmas.length - 2)
  // 2. How far the sigma is on the way to the next one.
  const weight = (logSigmas[low] - logSigma) / (logSigmas[low] - logSigmas[low + 1])
  const clipped = Math.min(Math.max(weight, 0), 1)
  return (1 - clipped) * low + clipped * (low + 1)
}

/** The sigma at a fractional timestep, by linear interpolation. */
export function sigmaAt(timestep: number, sigmas: Float32Array): number {
  const last = sigmas.length - 1
  if (timestep >= last) return sigmas[last]
  if (timestep <= 0) return sigmas[0]
  const low = Math.floor(timestep)
  return sigmas[low] + (sigmas[low + 1] - sigmas[low]) * (timestep - low)
}
