import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig } from './noise-scheduler.ts'

/**
 * Keys that would change the pictures and that no algorithm here follows. `clip_sample` is not among them: it is meant for
 * pixels, and diffusers' Stable Diffusion pipelines switch it off for latents as well.
 */
const REFUSED_KEYS = ['thresholding', 'use_flow_sigmas', 'use_dynamic_shifting'] as const

/**
 * Checks what every algorithm takes for granted.
 * @throws RangeError for a step count outside 1 to the number of training timesteps.
 * @throws NoiseScheduleError for a schedule that cannot be followed.
 */
export function assertRunnable(config: NoiseScheduleConfig, totalSteps: number): void {
  if (!Number.isInteger(totalSteps) || totalSteps < 1 || totalSteps > config.numTrainTimesteps) {
    throw new RangeError(`expected 1 to ${config.numTrainTimesteps} steps, got ${totalSteps}`)
  }
  for (const key of REFUSED_KEYS) {
    if (booleanSetting(config, key, false)) throw new NoiseScheduleError(`${key}: noise schedules with it are not supported`)
  }
}

/** A switch of the model's scheduler_config.json; null counts as absent. */
export function booleanSetting(config: NoiseScheduleConfig, key: string, byDefault: boolean): boolean {
  const value = config.extra[key] ?? byDefault
  if (typeof value !== 'boolean') throw new NoiseScheduleError(`${key}: expected true or false, got ${JSON.stringify(value)}`)
  return value
}

/** A finite number of the model's scheduler_config.json; null counts as absent. */
export function numberSetting(config: NoiseScheduleConfig, key: string): number | undefined {
  const value = config.extra[key] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new NoiseScheduleError(`${key}: expected a number, got ${JSON.stringify(value)}`)
  }
  return value
}

/** One of a few words of the model's scheduler_config.json; null counts as absent. */
export function choiceSetting<T extends string>(config: NoiseScheduleConfig, key: string, choices: readonly T[], byDefault: T): T {
  const value = config.extra[key] ?? byDefault
  const choice = choices.find((known) => known === value)
  if (choice === undefined) {
    throw new NoiseScheduleError(`${key}: expected ${choices.join(' or ')}, got ${JSON.stringify(value)}`)
  }
  return choice
}
