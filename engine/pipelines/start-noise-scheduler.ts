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

/** Says why a noise scheduler cannot do a request on a model's noise schedule; undefined when it can. */
export type NoiseSchedulerCheck = (request: NoiseSchedulerRequest, noiseSchedule: NoiseScheduleConfig) => EngineError | undefined

/** Answers kept for each noise schedule. Clients may spell a name in endless ways, so there has to be an end. */
const maxAnswers = 1000

/**
 * Makes the check of what a worker would refuse, for before one has it: what it says is what starting the run would say.
 * It starts the run to know, which takes a tenth of a millisecond, so it remembers what it was asked.
 */
export function createNoiseSchedulerCheck(): NoiseSchedulerCheck {
  const known = new WeakMap<NoiseScheduleConfig, Map<string, EngineError | undefined>>()
  return (request, noiseSchedule) => {
    const answers = known.get(noiseSchedule) ?? new Map<string, EngineError | undefined>()
    const question = `${request.totalSteps} ${firstStepOf(request)} ${request.noiseScheduler}`
    if (answers.has(question)) return answers.get(question)
    if (answers.size >= maxAnswers) answers.clear()
    const answer = findProblem(request, noiseSchedule)
    known.set(noiseSchedule, answers.set(question, answer))
    return answer
  }
}

function findProblem(request: NoiseSchedulerRequest, noiseSchedule: NoiseScheduleConfig): EngineError | undefined {
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
