// The step scheduler's plans, carried out without networks: a simulation that counts runs, not milliseconds.
import type { DecodedRequest } from '../../../engine/core/generation-request.ts'
import { Generation } from '../../../engine/core/generation.ts'
import { RowCaps } from '../../../engine/core/row-caps.ts'
import type { RunCaps } from '../../../engine/core/row-caps.ts'
import type { WorkPlan } from '../../../engine/core/step-plan.ts'
import { StepScheduler } from '../../../engine/core/step-scheduler.ts'
import type { DenoiseState, Pipeline } from '../../../engine/pipelines/pipeline.ts'
import { fakeNoiseSchedule, fakeNoiseSchedulerRun, fakeNoiseSource, request } from './fake-model.ts'

/** A pipeline that is only asked for sizes and costs. */
function pipelineOf(model: string, costPerUnit = 1): Pipeline {
  const unused = () => Promise.reject(new Error('plans run nothing'))
  return {
    model, costPerUnit,
    latentSize: ({ width, height }) => ({ width: width / 8, height: height / 8 }),
    needsImages: () => false,
    encodeImages: unused, encodePrompts: unused, denoise: unused, decode: unused, checkContent: unused,
    prepareLatents: () => {
      throw new Error('plans run nothing')
    },
    takeOver: () => {
      throw new Error('plans run nothing')
    },
  }
}

/** A generation whose model is loaded. */
export function ready(id: string, fields: Partial<DecodedRequest> = {}, costPerUnit = 1): Generation {
  const generation = new Generation(request(id, fields))
  generation.attach(pipelineOf(generation.request.model, costPerUnit), {})
  generation.image.catch(() => {})
  return generation
}

function stateOf(request: DecodedRequest): DenoiseState {
  const embeds = { tokens: 0, data: new Float32Array() }
  return {
    request, parts: {}, conditioning: { promptEmbeds: embeds }, loras: [], controls: [], run: fakeNoiseSchedulerRun(request), noise: fakeNoiseSource(0),
    noiseSchedule: fakeNoiseSchedule, latents: new Float32Array(), evaluation: 0, end: request.totalSteps,
  }
}

/** Does what a plan says, without networks. */
function carryOut(plan: WorkPlan): void {
  for (const generation of plan.generations) {
    if (plan.type === 'encodePrompt') generation.start(stateOf(generation.request))
    else if (plan.type === 'denoise') (generation.state as DenoiseState).evaluation += 1
    else generation.complete({ width: 0, height: 0, data: new Uint8Array() })
  }
}

/** A run as it was planned. */
export interface Step {
  readonly type: WorkPlan['type']
  readonly ids: readonly string[]
}

/** Plans and carries out up to `limit` steps over generations that may be added to meanwhile. */
export function runSteps(generations: Generation[], { maxRows = 8, maxCells, limit = Infinity, onStep }: Partial<RunCaps> & {
  readonly limit?: number
  readonly onStep?: (step: number, last: Step) => void
} = {}): readonly Step[] {
  const scheduler = new StepScheduler(new RowCaps({ maxRows, ...(maxCells !== undefined && { maxCells }) }))
  const steps: Step[] = []
  while (steps.length < limit) {
    const plan = scheduler.plan(generations.filter((generation) => !generation.isFinished))
    if (plan.type === 'idle') break
    const step = { type: plan.type, ids: plan.generations.map(({ id }) => id) }
    steps.push(step)
    carryOut(plan)
    onStep?.(steps.length, step)
  }
  return steps
}

export const denoiseSteps = (steps: readonly Step[]) => steps.filter((step) => step.type === 'denoise')
