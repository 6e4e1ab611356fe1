import { ModelType, noiseSchedulerNames, resolveNoiseScheduler } from '../../engine/index.ts'
import type { ModelRegistry, ModelSpec, NoiseSchedulerCheck } from '../../engine/index.ts'
import { createError } from '../../protocol/index.ts'
import type { ErrorBody, ImageInferenceRequest, TaskOf } from '../../protocol/index.ts'
import { TargetRefusedError } from '../outbound/target-guard.ts'
import type { TargetGuard } from '../outbound/target-guard.ts'
import type { OutputOptions, PlannedResult, TaskKey, TaskRecord, TaskRequest } from '../queue/task-record.ts'
import { findEmbeddings } from './find-embeddings.ts'
import { findModel } from './find-model.ts'
import type { ImageInput } from './image-input.ts'
import type { ImageUuids } from './image-uuid.ts'
import { planControlNets } from './plan-control-nets.ts'
import { planImages } from './plan-images.ts'
import { planIpAdapters } from './plan-ip-adapters.ts'
import { planLoras } from './plan-loras.ts'
import { parameterError } from './parameter-error.ts'
import { planRefiner } from './plan-refiner.ts'
import type { PriceTable } from './price-table.ts'
import { isRefusal } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** What planning a task needs beside the task. */
export interface PlanContext {
  readonly models: ModelRegistry
  readonly prices: PriceTable
  readonly imageUuidOf: ImageUuids
  readonly findNoiseSchedulerProblem: NoiseSchedulerCheck
  /** Most pixels × steps × results of one task. */
  readonly maxPixelSteps: number
  /** Which URLs of clients may be called. */
  readonly targets: Pick<TargetGuard, 'read'>
  /** A whole number from 0 to below `limit`. */
  readonly randomInteger: (limit: number) => number
  /** Wall clock, ms since the epoch. */
  readonly now: () => number
}

/** Whose task it is and where its results go. */
export interface TaskOrigin {
  readonly account: string
  readonly sessionUUID?: string
  /** Scheme, host and path prefix under which this client reaches the gateway, no trailing slash. */
  readonly baseUrl: string
}

/** A planned task may still hold pictures as text; they are stored before it is submitted. */
export type Plan =
  | { readonly type: 'planned'; readonly record: TaskRecord<ImageInput> }
  | { readonly type: 'refused'; readonly error: ErrorBody }

/** What is still being put together. */
type Mutable<T> = { -readonly [Field in keyof T]: T[Field] }

/** Used where neither the request nor its model says anything; the values of the published API. */
const fallbacks = { steps: 20, CFGScale: 7, scheduler: 'Default' } as const

/** Asks for a picture without a prompt. */
const blankPrompt = '__BLANK__'

/** Seeds are kept below this, so that every JSON reader gets them exactly. Only their low 32 bits shape the noise. */
const seedLimit = 2 ** 53

/**
 * Turns a validated imageInference task into a record with nothing left to decide: model found, defaults filled in,
 * a seed and an imageUUID for each result. The wire's names end here.
 */
export function planImageInference({ taskType, request: task }: TaskOf<'imageInference'>, origin: TaskOrigin, context: PlanContext): Plan {
  const refuse = ({ code, ...details }: Refusal): Plan =>
    ({ type: 'refused', error: createError(code, { ...details, taskType, taskUUID: task.taskUUID }) })
  const model = findModel({ parameter: 'model', code: 'invalidModel' }, task.model, ModelType.checkpoint, context.models)
  if (isRefusal(model)) return refuse(model)
  const vae = task.vae === undefined ? undefined : findModel({ parameter: 'vae', code: 'invalidVae' }, task.vae, ModelType.vae, context.models)
  if (vae && isRefusal(vae)) return refuse(vae)
  const loras = planLoras(task.lora ?? [], context.models)
  if (isRefusal(loras)) return refuse(loras)
  const ipAdapters = planIpAdapters(task.ipAdapters ?? [], { models: context.models, checkpoint: model, baseUrl: origin.baseUrl })
  if (isRefusal(ipAdapters)) return refuse(ipAdapters)
  const images = planImages(task, origin.baseUrl)
  if (images && isRefusal(images)) return refuse(images)
  const uncheckable = refuseContentCheck(task, model)
  if (uncheckable) return refuse(uncheckable)
  const embeddings = findEmbeddings(task.embeddings ?? [], context.models)
  if (isRefusal(embeddings)) return refuse(embeddings)
  const { width = model.defaults.width, height = model.defaults.height } = task
  if (width === undefined) return refuse(missingSize('width'))
  if (height === undefined) return refuse(missingSize('height'))
  const noiseScheduler = task.scheduler ?? model.defaults.scheduler ?? fallbacks.scheduler
  if (!resolveNoiseScheduler(noiseScheduler)) return refuse(unknownScheduler(noiseScheduler))
  const totalSteps = task.steps ?? model.defaults.steps ?? fallbacks.steps
  const impossible = model.noiseSchedule && context.findNoiseSchedulerProblem({ noiseScheduler, totalSteps }, model.noiseSchedule)
  const problem = impossible && parameterError(impossible)
  if (problem) return refuse(problem)
  const count = task.numberResults
  const refusal = checkCost(width * height * totalSteps, count, context.maxPixelSteps)
  if (refusal) return refuse(refusal)
  const unusable = checkUploadEndpoint(task.uploadEndpoint, context.targets)
  if (unusable) return refuse(unusable)
  const refiner = task.refiner && planRefiner(task.refiner, { models: context.models, checkpoint: model, totalSteps })
  if (refiner && isRefusal(refiner)) return refuse(refiner)
  const controlNets = planControlNets(task.controlNet ?? [], {
    models: context.models, checkpoint: model, totalSteps, baseUrl: origin.baseUrl, ...(refiner && { refinerStep: refiner.startStep }),
  })
  if (isRefusal(controlNets)) return refuse(controlNets)
  const key: TaskKey = { account: origin.account, taskUUID: task.taskUUID.toLowerCase() }
  // Put together field by field: the optional ones as spread objects take several times as long.
  const request: Mutable<TaskRequest<ImageInput>> = {
    model: model.air,
    prompt: task.positivePrompt === blankPrompt ? '' : task.positivePrompt,
    negativePrompt: task.negativePrompt === undefined || task.negativePrompt === blankPrompt ? '' : task.negativePrompt,
    width, height, totalSteps, noiseScheduler,
    guidanceScale: task.CFGScale ?? model.defaults.CFGScale ?? fallbacks.CFGScale,
    clipSkip: task.clipSkip,
  }
  if (vae) request.vae = vae.air
  if (loras.length > 0) request.loras = loras
  if (task.promptWeighting) request.promptWeighting = task.promptWeighting
  if (embeddings.length > 0) request.embeddings = embeddings
  if (ipAdapters.length > 0) request.ipAdapters = ipAdapters
  if (refiner) request.refiner = refiner
  if (images) Object.assign(request, images)
  if (asksForContentCheck(task)) request.checkContent = true
  if (controlNets.length > 0) request.controlNets = controlNets
  const record: Mutable<TaskRecord<ImageInput>> = {
    key,
    taskUUID: task.taskUUID,
    taskType,
    delivery: task.deliveryMethod,
    request,
    results: planResults(task.seed, count, key, context),
    output: outputOf(task),
    baseUrl: origin.baseUrl,
    acceptedAt: context.now(),
  }
  if (origin.sessionUUID !== undefined) record.sessionUUID = origin.sessionUUID
  if (task.includeCost) record.costPerResult = context.prices.priceOf({ model: model.air, width, height, totalSteps })
  return { type: 'planned', record }
}

function asksForContentCheck({ checkNSFW, safety }: ImageInferenceRequest): boolean {
  return checkNSFW || (safety?.checkContent ?? false)
}

/** A check that nothing can do is refused: no answer is better than one that sounds like an all-clear. */
function refuseContentCheck(task: ImageInferenceRequest, { air, safetyChecker }: ModelSpec): Refusal | undefined {
  if (!asksForContentCheck(task) || safetyChecker !== undefined) return undefined
  const reason = `this server has no safety checker for the model ${air}`
  return { code: 'invalidParameter', parameter: task.checkNSFW ? 'checkNSFW' : 'safety.checkContent', type: 'boolean', reason }
}

function missingSize(parameter: 'width' | 'height'): Refusal {
  const code = parameter === 'width' ? 'missingWidth' : 'missingHeight'
  return { code, parameter, type: 'integer', expected: 'a multiple of 64 from 128 to 2048, for the model has none of its own', min: 128, max: 2048 }
}

function unknownScheduler(name: string): Refusal {
  return { code: 'invalidScheduler', parameter: 'scheduler', type: 'string', expected: 'the name of a scheduler', value: JSON.stringify(name), allowedValues: noiseSchedulerNames }
}

/** A bound on what one task can keep a device busy with. */
function checkCost(pixelSteps: number, count: number, max: number): Refusal | undefined {
  if (pixelSteps * count <= max) return undefined
  const about = { parameter: 'numberResults', type: 'integer', max: Math.floor(max / pixelSteps) }
  return { code: 'maxTaskCostExceeded', ...about, expected: `at most ${max}`, value: String(pixelSteps * count) }
}

/** What is wrong with the text itself is said now; where the host leads to is looked at when the picture is sent. */
function checkUploadEndpoint(url: string | undefined, targets: PlanContext['targets']): Refusal | undefined {
  if (url === undefined) return undefined
  try {
    targets.read(url)
    return undefined
  } catch (error) {
    if (!(error instanceof TargetRefusedError)) throw error
    return { code: 'invalidUploadEndpoint', parameter: 'uploadEndpoint', type: 'string', message: `uploadEndpoint cannot be used: ${error.message}.` }
  }
}

function planResults(seed: number | undefined, count: number, key: TaskKey, { imageUuidOf, randomInteger }: PlanContext): TaskRecord['results'] {
  // crypto.randomInt draws below 2^48 only; two draws fill the whole range.
  const first = seed ?? (randomInteger(2 ** 26) * 2 ** 27 + randomInteger(2 ** 27)) % (seedLimit - count)
  const results: PlannedResult[] = []
  for (let index = 0; index < count; index++) {
    results.push({ index, seed: (first % seedLimit + index) % seedLimit, imageUUID: imageUuidOf(key, index) })
  }
  return results
}

function outputOf({ outputType, outputFormat, outputQuality, ttl, uploadEndpoint }: ImageInferenceRequest): OutputOptions {
  return {
    types: outputType,
    format: outputFormat,
    quality: outputQuality,
    ...(ttl !== undefined && { ttlSeconds: ttl }),
    ...(uploadEndpoint !== undefined && { uploadUrl: uploadEndpoint }),
  }
}
