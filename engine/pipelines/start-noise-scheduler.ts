import type { DecodedRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import { resolveNoiseScheduler } from '../schedulers/names.ts'
import type { NoiseSchedulerRun } from '../schedulers/noise-scheduler.ts'
import { NoiseScheduleError } from '../schedulers/noise-schedule-error.ts'

/**
 * Starts a generation's run of its noise scheduler. Throws an EngineError that names `noiseScheduler` or `totalSteps`.
 * @param leastStep steps that are left out in any case, because another model has made them. @default 0
 */
export function startNoiseScheduler(request: DecodedRequest, model: Pick<LoadedModel, 'noiseSchedule'>, leastStep = 0): NoiseSchedulerRun {
  const scheduler = resolveNoiseScheduler(request.noiseScheduler)
  if (scheduler === undefined) throw invalid('noiseScheduler', `there is none of the name ${JSON.stringify(request.noiseScheduler)}`)
  try {
    return scheduler.createRun(model.noiseSchedule, request.totalSteps, Math.max(leastStep, firstStepOf(request)))
  } catch (cause) {
    if (cause instanceof RangeError) throw invalid('totalSteps', cause.message, cause)
    if (cause instanceof NoiseScheduleError) throw invalid('noiseScheduler', cause.message, cause)
    throw cause
  }
}

/** Steps that are left out because the denoising starts from a picture; rounded as the reference rounds. */
function firstStepOf({ totalSteps, strength = 1 }: DecodedRequest): number {
  return totalSteps - Math.min(Math.trunc(totalSteps * strength), totalSteps)
}

function invalid(parameter: 'noiseScheduler' | 'totalSteps', reason: string, cause?: Error): EngineError {
  return new EngineError('invalidParameter', `${parameter}: ${reason}`, { parameter, ...(cause && { cause }) })
}
