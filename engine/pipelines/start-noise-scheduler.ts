import type { DecodedRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import { resolveNoiseScheduler } from '../schedulers/names.ts'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from '../schedulers/noise-scheduler.ts'
import { NoiseScheduleError } from '../schedulers/noise-schedule-error.ts'

/** What of a request its noise scheduler depends on. */
export type NoiseSchedulerRequest = Pick<DecodedRequest, 'noiseScheduler' | 'totalSteps' | 'strength'>

/**
 * Starts a generation's run of its noise scheduler. Throws an EngineError that names `noiseScheduler` or `totalSteps`.
 * @param leastStep steps that are left out in any case, because another model has made them. @default 0
 */
export function startNoiseScheduler(request: NoiseSchedulerRequest, model: Pick<LoadedModel, 'noiseSchedule'>, leastStep = 0): NoiseSchedulerRun {
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

/**
 * Why a noise scheduler cannot do a request on a model's noise schedule, before a worker has it; undefined when it can.
 * What it says is what starting the run would say.
 */
export function findNoiseSchedulerProblem(request: NoiseSchedulerRequest, noiseSchedule: NoiseScheduleConfig): EngineError | undefined {
  try {
    startNoiseScheduler(request, { noiseSchedule })
    return undefined
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
}

/** Steps that are left out because the denoising starts from a picture; rounded as the reference rounds. */
function firstStepOf({ totalSteps, strength = 1 }: NoiseSchedulerRequest): number {
  return totalSteps - Math.min(Math.trunc(totalSteps * strength), totalSteps)
}

function invalid(parameter: 'noiseScheduler' | 'totalSteps', reason: string, cause?: Error): EngineError {
  return new EngineError('invalidParameter', `${parameter}: ${reason}`, { parameter, ...(cause && { cause }) })
}
