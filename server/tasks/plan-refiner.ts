import { ModelType, canRefine } from '../../engine/index.ts'
import type { ModelRegistry, ModelSpec, RefinerUse } from '../../engine/index.ts'
import type { ImageInferenceRequest } from '../../protocol/index.ts'
import { findModel } from './find-model.ts'
import { isRefusal } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** What the use of a refiner is planned for. */
export interface RefinerContext {
  readonly models: ModelRegistry
  readonly checkpoint: ModelSpec
  readonly totalSteps: number
}

type RefinerInput = NonNullable<ImageInferenceRequest['refiner']>

const code = 'invalidRefiner'
/** Where neither a step nor a share is given; as the published refiner was trained. */
const defaultPercentage = 80

/** Turns the `refiner` parameter into what the engine takes, or says what is wrong with which of its values. */
export function planRefiner(input: RefinerInput, { models, checkpoint, totalSteps }: RefinerContext): RefinerUse | Refusal {
  const parameter = 'refiner.model'
  const model = findModel({ parameter, code }, input.model, ModelType.checkpoint, models)
  if (isRefusal(model)) return model
  if (!canRefine(model.family, checkpoint.family)) {
    const value = `${model.air} of family ${model.family} for ${checkpoint.air} of family ${checkpoint.family}`
    return { code, parameter, type: 'string', expected: 'an SDXL refiner or checkpoint, for an SDXL checkpoint', value }
  }
  if (model.takesMask) return { code, parameter, type: 'string', expected: 'a checkpoint that was not trained for inpainting', value: model.air }
  const startStep = startStepOf(input, totalSteps)
  return typeof startStep === 'number' ? { model: model.air, startStep } : startStep
}

/** Steps count from 1; both models make at least one. */
function startStepOf({ startStep, startStepPercentage }: RefinerInput, totalSteps: number): number | Refusal {
  const wrong = (parameter: string, expected: string, value: number): Refusal => ({ code, parameter, type: 'integer', expected, value: String(value) })
  if (totalSteps < 2) return { ...wrong('steps', 'at least 2 with a refiner', totalSteps), code: 'invalidSteps', min: 2 }
  if (startStep === undefined) {
    const stepsBefore = Math.ceil((totalSteps * (startStepPercentage ?? defaultPercentage)) / 100)
    return Math.min(stepsBefore, totalSteps - 1) + 1
  }
  if (startStepPercentage !== undefined) return wrong('refiner.startStepPercentage', 'left out beside refiner.startStep', startStepPercentage)
  if (startStep <= totalSteps) return startStep
  return { ...wrong('refiner.startStep', `a whole number from 2 to the ${totalSteps} steps of the task`, startStep), min: 2, max: totalSteps }
}
