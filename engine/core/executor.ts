import { EngineError } from '../engine-error.ts'
import type { DenoiseState, ImageLatents, Pipeline } from '../pipelines/pipeline.ts'
import { rowsOf } from './batcher.ts'
import type { RgbImage } from './generation-request.ts'
import type { Generation } from './generation.ts'
import { isMemoryFailure } from './is-memory-failure.ts'
import type { RowCaps } from './row-caps.ts'
import type { WorkPlan } from './step-plan.ts'

/** What a step did for one generation. */
export type StepOutcome = { readonly generation: Generation } & (
  | { readonly type: 'imagesEncoded'; readonly images: ImageLatents }
  | { readonly type: 'prepared'; readonly state: DenoiseState }
  | { readonly type: 'stepped' }
  | { readonly type: 'decoded'; readonly image: RgbImage }
  | { readonly type: 'checked'; readonly image: RgbImage; readonly isSensitive: boolean }
  | { readonly type: 'failed'; readonly error: EngineError }
)

/** Runs plans. A run that fails is repeated with fewer rows or one generation at a time, so that only the culprit fails. */
export class Executor {
  readonly #rowCaps: RowCaps

  constructor(rowCaps: RowCaps) {
    this.#rowCaps = rowCaps
  }

  /** Runs a plan; never rejects: a failure is an outcome of the generation that caused it. */
  execute(plan: WorkPlan): Promise<readonly StepOutcome[]> {
    return this.#attempt(plan, plan.generations, plan.maxRows)
  }

  async #attempt(plan: WorkPlan, generations: readonly Generation[], maxRows: number): Promise<readonly StepOutcome[]> {
    try {
      return await runStage(plan.type, generations, maxRows)
    } catch (error) {
      const rows = Math.min(maxRows, mostRows(plan.type, generations))
      if (rows > 1 && isMemoryFailure(error)) {
        const fewer = Math.floor(rows / 2)
        this.#rowCaps.lower(plan.type, plan.batchKey, fewer)
        return this.#attempt(plan, generations, fewer)
      }
      if (generations.length === 1) return [{ type: 'failed', generation: generations[0] as Generation, error: asEngineError(error) }]
      const outcomes: StepOutcome[] = []
      for (const generation of generations) outcomes.push(...(await this.#attempt(plan, [generation], maxRows)))
      return outcomes
    }
  }
}

/** Most pictures that a generation has encoded: the one it starts from, and what is left of it under the mask. */
const picturesPerGeneration = 2

/** Rows of a stage's run if nothing limits them; for prompts, which come in chunks and from the cache, only `maxRows` does. */
function mostRows(stage: WorkPlan['type'], generations: readonly Generation[]): number {
  if (stage === 'encodePrompt') return Infinity
  if (stage === 'encodeImage') return picturesPerGeneration * generations.length
  return stage === 'decode' || stage === 'checkContent' ? generations.length : generations.reduce((sum, generation) => sum + rowsOf(generation), 0)
}

function runStage(stage: WorkPlan['type'], generations: readonly Generation[], maxRows: number): Promise<readonly StepOutcome[]> {
  const pipeline = (generations[0] as Generation).pipeline as Pipeline
  return stages[stage](pipeline, generations, maxRows)
}

const stages = {
  encodeImage: async (pipeline, generations, maxRows) => {
    const images = await pipeline.encodeImages(generations, maxRows)
    return generations.map((generation, i): StepOutcome => ({ type: 'imagesEncoded', generation, images: images[i] as ImageLatents }))
  },

  encodePrompt: async (pipeline, generations, maxRows) => {
    const conditionings = await pipeline.encodePrompts(generations, maxRows)
    return generations.map((generation, i): StepOutcome => {
      try {
        const conditioning = conditionings[i] as (typeof conditionings)[number]
        const { state, parts, images = {} } = generation
        const prepared =
          state === undefined ? pipeline.prepareLatents(generation, conditioning, images) : pipeline.takeOver(state, parts, conditioning)
        return { type: 'prepared', generation, state: prepared }
      } catch (error) {
        return { type: 'failed', generation, error: asEngineError(error) }
      }
    })
  },

  denoise: async (pipeline, generations, maxRows) => {
    const errors = await pipeline.denoise(generations.map(stateOf), maxRows)
    return generations.map((generation, i): StepOutcome => {
      const error = errors[i]
      return error === undefined ? { type: 'stepped', generation } : { type: 'failed', generation, error: asEngineError(error) }
    })
  },

  decode: async (pipeline, generations, maxRows) => {
    const images = await pipeline.decode(generations.map(stateOf), maxRows)
    return generations.map((generation, i): StepOutcome => ({ type: 'decoded', generation, image: images[i] as RgbImage }))
  },

  checkContent: async (pipeline, generations, maxRows) => {
    const pictures = generations.map(({ request, parts, uncheckedImage }) => ({ request, parts, image: uncheckedImage as RgbImage }))
    const verdicts = await pipeline.checkContent(pictures, maxRows)
    return generations.map((generation, i): StepOutcome => {
      const { image } = pictures[i] as (typeof pictures)[number]
      return { type: 'checked', generation, image, isSensitive: verdicts[i] as boolean }
    })
  },
} satisfies Record<
  WorkPlan['type'],
  (pipeline: Pipeline, generations: readonly Generation[], maxRows: number) => Promise<readonly StepOutcome[]>
>

function stateOf(generation: Generation): DenoiseState {
  return generation.state as DenoiseState
}

function asEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  if (isMemoryFailure(error)) {
    return new EngineError('outOfMemory', 'the device has too little memory for a picture of this size', { cause: error })
  }
  return new EngineError('inferenceError', 'the picture could not be computed', { cause: error })
}
