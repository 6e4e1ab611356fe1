import type { NoiseScheduleConfig, PredictionType } from '../schedulers/noise-scheduler.ts'
import type { JsonObject } from './json-file.ts'
import { ModelError } from './model-error.ts'

const LABEL = 'scheduler_config.json'
const PREDICTION_TYPES = { epsilon: 'epsilon', v_prediction: 'vPrediction', sample: 'sample' } as const
const BETA_SCHEDULES = ['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const
const TIMESTEP_SPACINGS = ['linspace', 'leading', 'trailing'] as const
const TYPED = new Set([
  '_class_name',
  'num_train_timesteps',
  'beta_start',
  'beta_end',
  'beta_schedule',
  'trained_betas',
  'prediction_type',
  'timestep_spacing',
  'steps_offset',
  'rescale_betas_zero_snr',
])

/**
 * Reads a model's trained noise schedule from its `scheduler_config.json`; what the file does not say is as diffusers'
 * schedulers have it. Throws a ModelError that names the field for a schedule the engine cannot follow.
 */
export function parseNoiseSchedule(config: JsonObject): NoiseScheduleConfig {
  const trainedBetas = numbers(config, 'trained_betas')
  const timestepSpacing = (config['timestep_spacing'] ?? undefined) && oneOf(config, 'timestep_spacing', TIMESTEP_SPACINGS, 'leading')
  return {
    className: text(config, '_class_name'),
    numTrainTimesteps: number(config, 'num_train_timesteps', 1000, value => Number.isInteger(value) && value > 0 && value <= 100_000),
    betaStart: number(config, 'beta_start', 0.0001, isBeta),
    betaEnd: number(config, 'beta_end', 0.02, isBeta),
    betaSchedule: oneOf(config, 'beta_schedule', BETA_SCHEDULES, 'linear'),
    ...(trainedBetas && { trainedBetas }),
    predictionType: predictionType(config),
    ...(timestepSpacing && { timestepSpacing }),
    stepsOffset: number(config, 'steps_offset', 0, value => Number.isInteger(value) && value >= 0),
    rescaleBetasZeroSnr: config['rescale_betas_zero_snr'] === true,
    extra: Object.fromEntries(Object.entries(config).filter(([key]) => !TYPED.has(key))),
  }
}

function predictionType(config: JsonObject): PredictionType {
  const name = oneOf(config, 'prediction_type', Object.keys(PREDICTION_TYPES) as (keyof typeof PREDICTION_TYPES)[], 'epsilon')
  return PREDICTION_TYPES[name]
}

function isBeta(value: number): boolean {
  return value >= 0 && value < 1
}

function text(config: JsonObject, key: string): string {
  const value = config[key]
  if (typeof value !== 'string' || value === '') throw new ModelError(`${LABEL} has no ${key}`)
  return value
}

function number(config: JsonObject, key: string, fallback: number, isValid: (value: number) => boolean): number {
  const value = config[key] ?? fallback
  if (typeof value !== 'number' || !isValid(value))
    throw new ModelError(`${LABEL} has a ${key} that cannot be used: ${JSON.stringify(value)}`)
  return value
}

function numbers(config: JsonObject, key: string): readonly number[] | undefined {
  const value = config[key] ?? undefined
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || !value.every(entry => typeof entry === 'number' && isBeta(entry))) {
    throw new ModelError(`${LABEL} has ${key} that are not a list of betas`)
  }
  return value as number[]
}

function oneOf<T extends string>(config: JsonObject, key: string, allowed: readonly T[], fallback: T): T {
  const value = config[key] ?? fallback
  const found = allowed.find(name => name === value)
  if (!found)
    throw new ModelError(`${LABEL} has the ${key} ${JSON.stringify(value)}, which is not supported; known are ${allowed.join(', ')}`)
  return found
}
