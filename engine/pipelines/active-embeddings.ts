import type { DecodedRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel, TextEmbedding } from '../models/loaded-model.ts'
import { findTriggers } from '../prompts/mark-triggers.ts'
import type { PromptEmbedding } from '../prompts/prompt-token.ts'

/** The embeddings of a request, as its prompts use them. */
export interface ActiveEmbeddings {
  /** For each text encoder, in the request's order. */
  readonly byEncoder: readonly (readonly PromptEmbedding[])[]
  /** Those that neither prompt names, by their place in the request. */
  readonly unnamed: readonly number[]
}

/** Makes ready what a request's embeddings put into its prompts. Throws an EngineError that names `embeddings`. */
export function activeEmbeddings(
  { embeddings: uses = [], prompt, negativePrompt }: DecodedRequest, loaded: readonly TextEmbedding[], { textEncoders, spec }: LoadedModel,
): ActiveEmbeddings {
  const triggers = new Set<string>()
  uses.forEach(({ model }, index) => {
    const { trigger, vectors } = loaded[index] as TextEmbedding
    if (triggers.has(trigger.toLowerCase())) throw refused(`two of them have the trigger ${JSON.stringify(trigger)}`)
    triggers.add(trigger.toLowerCase())
    const widths = vectors.map(([first]) => first?.length ?? 0)
    const expected = textEncoders.map(({ width }) => width)
    if (widths.slice(-expected.length).join() !== expected.join()) throw refused(`${model} ${describe(widths)}, and ${spec.air} has ${describeEncoders(expected)}`)
  })
  const byEncoder = textEncoders.map((_, encoder) => uses.map(({ model, weight }, index): PromptEmbedding => {
    const { trigger, vectors } = loaded[index] as TextEmbedding
    // A refiner has only the last of the text encoders that an embedding was made for.
    const own = vectors.at(encoder - textEncoders.length) ?? []
    return { trigger, tokens: own.map((vector, place) => ({ key: `${model.toLowerCase()} ${place} ${weight}`, vector, scale: weight })) }
  }))
  const named = new Set([prompt, negativePrompt].flatMap((text) => findTriggers(text, byEncoder[0] ?? [])))
  return { byEncoder, unnamed: uses.map((_, index) => index).filter((index) => !named.has(index)) }
}

function describe(widths: readonly number[]): string {
  if (widths.length === 1) return `has vectors of ${widths.join()} numbers`
  return `is for models of two text encoders (SDXL): it has vectors of ${widths.join(' and ')} numbers`
}

function describeEncoders(widths: readonly number[]): string {
  return widths.length === 1 ? `one text encoder, of width ${widths.join()}` : `text encoders of the widths ${widths.join(' and ')}`
}

function refused(reason: string): EngineError {
  return new EngineError('invalidParameter', `embeddings: ${reason}`, { parameter: 'embeddings' })
}
