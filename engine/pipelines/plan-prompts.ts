import type { DecodedRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import { planPrompt } from '../prompts/plan-prompt.ts'
import { PromptError } from '../prompts/prompt-error.ts'
import { padPlan } from '../prompts/prompt-plan.ts'
import type { PromptPlan } from '../prompts/prompt-plan.ts'
import type { PromptTokenizer } from '../prompts/prompt-tokenizer.ts'
import { activeEmbeddings } from './active-embeddings.ts'
import type { ActiveEmbeddings } from './active-embeddings.ts'
import { hasGuidance } from './has-guidance.ts'
import { textLoras } from './lora-uses.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'
import type { PreparedRequest } from './pipeline.ts'

/** A prompt's plan for each text encoder, all of the same number of blocks, and how they are encoded. */
export interface PlannedPrompt {
  readonly plans: readonly PromptPlan[]
  /** What each text encoder takes of the request's LoRAs. */
  readonly loras: readonly (readonly NetworkLoraUse[])[]
  readonly clipSkip: number
}

/** The prompts of one request. */
export interface PlannedPrompts {
  readonly prompt: PlannedPrompt
  /** Present if and only if the request has guidance; `zeros` stands for no text where the model was trained so. */
  readonly negativePrompt?: PlannedPrompt | 'zeros'
}

/** What planning takes of the model. */
export interface PlanOptions {
  readonly model: LoadedModel
  /** One for each text encoder of the model. */
  readonly tokenizers: readonly PromptTokenizer[]
}

/**
 * Plans both prompts of a request. Layers are skipped for the prompt only, as diffusers does it; with a syntax of weights
 * for both, as its references do, and the shorter prompt is filled up to the length of the other one.
 * Throws an EngineError that names the field.
 */
export function planPrompts({ request, parts }: PreparedRequest, options: PlanOptions): PlannedPrompts {
  const { model } = options
  checkClipSkip(request, model)
  const embeddings = activeEmbeddings(request, parts.embeddings ?? [], model)
  const loras = model.textEncoders.map((_, encoder) => textLoras(encoder, parts.loras))
  const { clipSkip } = request
  const prompt = plansOf('prompt', request, options, embeddings)
  if (!hasGuidance(request)) return { prompt: { plans: aligned(prompt), loras, clipSkip } }
  const isWeighted = request.promptWeighting !== undefined
  if (model.zerosEmptyPrompt && request.negativePrompt === '' && !isWeighted) {
    return { prompt: { plans: aligned(prompt), loras, clipSkip }, negativePrompt: 'zeros' }
  }
  const negativePrompt = plansOf('negativePrompt', request, options, embeddings)
  const count = isWeighted ? mostBlocks([...prompt, ...negativePrompt]) : 0
  return {
    prompt: { plans: aligned(prompt, count), loras, clipSkip },
    negativePrompt: { plans: aligned(negativePrompt, count), loras, clipSkip: isWeighted ? clipSkip : 0 },
  }
}

function checkClipSkip({ clipSkip }: DecodedRequest, { textEncoders, spec }: LoadedModel): void {
  if (textEncoders.every(({ session }) => session.outputs.some((output) => output.name === hiddenStates(clipSkip)))) return
  const message = `clipSkip: the text encoder of ${spec.air} has too few layers to skip ${clipSkip}`
  throw new EngineError('invalidParameter', message, { parameter: 'clipSkip' })
}

/** The text encoder's output with this many layers skipped. */
export function hiddenStates(clipSkip: number): string {
  return `hidden_states_${clipSkip}`
}

function plansOf(
  parameter: 'prompt' | 'negativePrompt', request: DecodedRequest, { tokenizers }: PlanOptions, embeddings: ActiveEmbeddings,
): readonly PromptPlan[] {
  const appended = parameter === 'prompt' ? embeddings.unnamed : []
  try {
    return tokenizers.map((tokenizer, encoder) => {
      const known = embeddings.byEncoder[encoder] ?? []
      return planPrompt(request[parameter], tokenizer, { weighting: request.promptWeighting, embeddings: known, appended })
    })
  } catch (cause) {
    if (!(cause instanceof PromptError)) throw cause
    throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
  }
}

/** Plans of the same number of blocks: where one text encoder needs fewer chunks than another, it gets those of no text besides. */
function aligned(plans: readonly PromptPlan[], atLeast = 0): readonly PromptPlan[] {
  const count = Math.max(atLeast, mostBlocks(plans))
  return plans.map((plan) => padPlan(plan, count))
}

function mostBlocks(plans: readonly PromptPlan[]): number {
  return Math.max(...plans.map(({ blocks }) => blocks.length))
}
