import { chunkTokens, framed } from './chunk-tokens.ts'
import { markOf, markTriggers } from './mark-triggers.ts'
import { planCompel } from './plan-compel.ts'
import { planSdEmbeds } from './plan-sd-embeds.ts'
import { PromptError } from './prompt-error.ts'
import { plainBlock, wholeOf } from './prompt-plan.ts'
import type { PromptPlan } from './prompt-plan.ts'
import type { PromptEmbedding } from './prompt-token.ts'
import type { PromptTokenizer, TextTokens } from './prompt-tokenizer.ts'

/** Most chunks of a prompt, far beyond what a picture can show. */
const MOST_CHUNKS = 64

/** Syntaxes that say how strongly a part of a prompt is meant. */
export type PromptWeighting = 'compel' | 'sdEmbeds'

/** What planning a prompt takes beside its text. */
export interface PlanPromptOptions {
  /** Plain text without it. */
  readonly weighting?: PromptWeighting | undefined
  /** What the prompt may name. */
  readonly embeddings?: readonly PromptEmbedding[]
  /** Those of them that stand at the prompt's end, by their index. */
  readonly appended?: readonly number[]
}

const planners: Readonly<Record<PromptWeighting, (prompt: string, appended: string, tokenizer: TextTokens) => PromptPlan>> = {
  compel: planCompel,
  sdEmbeds: planSdEmbeds,
}

/**
 * Plans how a prompt's states are computed. Without a syntax it is text, in chunks as long as they can be.
 * Throws a PromptError for a prompt that is too long or whose syntax cannot be followed.
 */
export function planPrompt(prompt: string, tokenizer: PromptTokenizer, options: PlanPromptOptions = {}): PromptPlan {
  const { weighting, embeddings = [], appended = [] } = options
  const marked = markTriggers(prompt, embeddings)
  const marks = appended.map(markOf).join('')
  const texts = tokenizer.texts(embeddings)
  const plan = weighting === undefined ? planText(marked + marks, texts) : planners[weighting](marked, marks, texts)
  if (plan.blocks.length > MOST_CHUNKS) {
    throw new PromptError(`it takes ${plan.blocks.length} chunks of the text encoder; at most ${MOST_CHUNKS} are followed`)
  }
  return plan
}

function planText(text: string, { frame, tokens }: TextTokens): PromptPlan {
  const blocks = chunkTokens(tokens(text), frame).map(plainBlock)
  return { blocks, whole: wholeOf(blocks), padding: plainBlock(framed([], frame)) }
}
