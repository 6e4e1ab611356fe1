import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig } from './noise-scheduler.ts'

/** Where the timesteps of a run lie among the training timesteps. */
export type TimestepSpacing = 'linspace' | 'leading' | 'trailing'

/** Numbers from `start` to `end`, both included, as numpy spaces them. */
export function linspace(start: number, end: number, count: number): number[] {
  const stride = (end - start) / (count - 1)
  return Array.from({ length: count }, (_, i) => (i > 0 && i === count - 1 ? end : i === 0 ? start : start + stride * i))
}

/** Rounds half to even, as numpy does. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest !== 0.5) return Math.round(x)
  return floor % 2 === 0 ? floor : floor + 1
}

/** Timesteps in falling order, fractional with `linspace`; for algorithms that look sigmas up between the training timesteps. */
export function fractionalTimesteps(config: NoiseScheduleConfig, totalSteps: number): number[] {
  return spacedTimesteps(config, totalSteps, 'linspace').map(Math.fround)
}

/** Whole timesteps in falling order; for algorithms that look ᾱ up. */
export function wholeTimesteps(config: NoiseScheduleConfig, totalSteps: number): number[] {
  const timesteps = spacedTimesteps(config, totalSteps, 'leading').map(roundHalfEven)
  assertTrainingTimesteps(timesteps, config)
  return timesteps
}

function spacedTimesteps(config: NoiseScheduleConfig, totalSteps: number, byDefault: TimestepSpacing): number[] {
  const { numTrainTimesteps } = config
  const spacing = config.timestepSpacing ?? byDefault
  if (spacing === 'linspace') return linspace(0, numTrainTimesteps - 1, totalSteps).reverse()
  return spacing === 'leading' ? leading(config, totalSteps, totalSteps) : trailing(config, totalSteps, numTrainTimesteps)
}

/**
 * Whole timesteps in falling order, the last of `totalSteps + 1` left out; for multistep solvers, whose run ends beyond the last.
 * @param last one past the noisiest timestep.
 */
export function solverTimesteps(config: NoiseScheduleConfig, totalSteps: number, last = config.numTrainTimesteps): number[] {
  const spacing = config.timestepSpacing ?? 'linspace'
  if (spacing === 'trailing') return trailing(config, totalSteps, last)
  if (spacing === 'leading') return leading(config, totalSteps, totalSteps + 1, last)
  return linspace(0, last - 1, totalSteps + 1).map(roundHalfEven).reverse().slice(0, -1)
}

function leading(config: NoiseScheduleConfig, totalSteps: number, divisor: number, last = config.numTrainTimesteps): number[] {
  const stride = Math.floor(last / divisor)
  return Array.from({ length: totalSteps }, (_, i) => (divisor - 1 - i) * stride + config.stepsOffset)
}

function trailing(config: NoiseScheduleConfig, totalSteps: number, last: number): number[] {
  const stride = config.numTrainTimesteps / totalSteps
  const count = Math.min(Math.ceil(last / stride), totalSteps)
  return Array.from({ length: count }, (_, i) => roundHalfEven(last - i * stride) - 1)
}

/** Says what is wrong when a run would leave the training timesteps: the step count where a smaller one would not. */
function assertTrainingTimesteps(timesteps: readonly number[], config: NoiseScheduleConfig): void {
  const stray = timesteps.find((timestep) => !(timestep >= 0 && timestep <= config.numTrainTimesteps - 1))
  if (stray === undefined) return
  // A run of one step would begin at the offset itself.
  if (config.stepsOffset < config.numTrainTimesteps) {
    throw new RangeError(`expected fewer steps, got ${timesteps.length}: timestep ${stray} lies outside the model's ${config.numTrainTimesteps}`)
  }
  throw new NoiseScheduleError(`steps_offset: timestep ${stray} lies outside the ${config.numTrainTimesteps} training timesteps`)
}
