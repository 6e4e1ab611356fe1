import { ModelType } from '../../engine/index.ts'
import type { ControlMode, ControlNetUse, ModelRegistry, ModelSpec } from '../../engine/index.ts'
import type { ControlNetInput } from '../../protocol/index.ts'
import { findModel } from './find-model.ts'
import { expectedImage, readImageInput } from './image-input.ts'
import type { ImageInput } from './image-input.ts'
import { isRefusal } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** What the uses of ControlNets are planned for. */
export interface ControlNetContext {
  readonly models: ModelRegistry
  readonly checkpoint: ModelSpec
  readonly totalSteps: number
  /** The step from which on a refiner goes on, without ControlNets; absent where there is none. */
  readonly refinerStep?: number
  /** Under which clients reach this server's pictures. */
  readonly baseUrl: string
}

/** The window a ControlNet has a say in, in shares of the denoising. */
type ControlWindow = Pick<ControlNetUse<unknown>, 'start' | 'end'>

const modes = { prompt: 'prompt', balanced: 'balanced', controlnet: 'controlNet' } as const satisfies Record<ControlNetInput['controlMode'], ControlMode>

/** Turns the `controlNet` parameter into what the engine takes, or says what is wrong with which of its values. */
export function planControlNets(inputs: readonly ControlNetInput[], context: ControlNetContext): readonly ControlNetUse<ImageInput>[] | Refusal {
  const uses: ControlNetUse<ImageInput>[] = []
  for (const [index, input] of inputs.entries()) {
    const use = planControlNet(input, `controlNet[${index}]`, context)
    if (isRefusal(use)) return use
    uses.push(use)
  }
  return uses
}

function planControlNet(input: ControlNetInput, path: string, context: ControlNetContext): ControlNetUse<ImageInput> | Refusal {
  const { models, checkpoint, baseUrl } = context
  const model = findModel({ parameter: `${path}.model`, code }, input.model, ModelType.controlNet, models)
  if (isRefusal(model)) return model
  if (model.family !== checkpoint.family) {
    const value = `${model.air}, which is for ${model.family} checkpoints`
    return { code, parameter: `${path}.model`, type: 'string', expected: `a ControlNet for ${checkpoint.family} checkpoints such as ${checkpoint.air}`, value }
  }
  const guideImage = readImageInput(input.guideImage, baseUrl)
  if (!guideImage) return { code, parameter: `${path}.guideImage`, type: 'string', expected: expectedImage, value: 'something else' }
  const window = windowOf(input, path, context)
  if (isRefusal(window)) return window
  return { model: model.air, guideImage, weight: input.weight, ...window, controlMode: modes[input.controlMode] }
}

/** Steps count from 1 and the last one takes part; shares are diffusers' control_guidance_start and _end. */
function windowOf(input: ControlNetInput, path: string, { totalSteps, refinerStep }: ControlNetContext): ControlWindow | Refusal {
  const { startStep, startStepPercentage, endStep, endStepPercentage } = input
  const wrong = (name: string, expected: string, value: unknown, bounds: { readonly min?: number; readonly max?: number } = {}): Refusal =>
    ({ code, parameter: `${path}.${name}`, type: 'integer', expected, value: String(value), ...bounds })
  if (startStep !== undefined && startStepPercentage !== undefined) return wrong('startStepPercentage', 'left out beside startStep', startStepPercentage)
  if (endStep !== undefined && endStepPercentage !== undefined) return wrong('endStepPercentage', 'left out beside endStep', endStepPercentage)
  if (startStep !== undefined && startStep > totalSteps) {
    return wrong('startStep', `a whole number from 1 to the ${totalSteps} steps of the task`, startStep, { min: 1, max: totalSteps })
  }
  if (endStep !== undefined && endStep > totalSteps) {
    return wrong('endStep', `a whole number to the ${totalSteps} steps of the task`, endStep, { max: totalSteps })
  }
  const start = startStep === undefined ? (startStepPercentage ?? 0) / 100 : (startStep - 1) / totalSteps
  const end = endStep === undefined ? (endStepPercentage ?? 100) / 100 : endStep / totalSteps
  if (refinerStep !== undefined && start >= (refinerStep - 1) / totalSteps) {
    return wrong(startStep === undefined ? 'startStepPercentage' : 'startStep', `before the refiner's first step, ${refinerStep}`, startStep ?? startStepPercentage)
  }
  const isForward = startStep !== undefined && endStep !== undefined ? endStep > startStep : end > start
  // Without an end it is the last step, and a start never lies behind that.
  return isForward ? { start, end } : wrong(endStep === undefined ? 'endStepPercentage' : 'endStep', 'after the start', endStep ?? endStepPercentage)
}

const code = 'invalidControlNet'
