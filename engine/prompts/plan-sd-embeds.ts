import { framed } from './chunk-tokens.ts'
import { parseSdEmbeds } from './parse-sd-embeds.ts'
import { plainBlock, wholeOf } from './prompt-plan.ts'
import type { PlanBlock, PromptPlan } from './prompt-plan.ts'
import type { TextTokens } from './prompt-tokenizer.ts'

/**
 * Plans a prompt in sd_embed's syntax with its arithmetic: a token's final state times its weight, and no mean restored.
 * Chunks are as long as they can be; the last one is padded with the end token, and so is a prompt that is shorter than
 * the other one. Throws a PromptError for a weight that is no number.
 */
export function planSdEmbeds(prompt: string, appended: string, tokenizer: TextTokens): PromptPlan {
  const frame = { ...tokenizer.frame, pad: tokenizer.frame.end }
  const texts = [...parseSdEmbeds(prompt), { text: appended, weight: 1 }]
  const weighted = texts.flatMap(({ text, weight }) => tokenizer.tokens(text).map(token => ({ token, weight })))
  const room = frame.length - 2
  const blocks = Array.from({ length: Math.max(1, Math.ceil(weighted.length / room)) }, (_, chunk): PlanBlock => {
    const own = weighted.slice(chunk * room, (chunk + 1) * room)
    const tokens = framed(own.map(({ token }) => token), frame)
    if (own.every(({ weight }) => weight === 1)) return plainBlock(tokens)
    const weights = [1, ...own.map(({ weight }) => weight), ...new Array<number>(frame.length - 1 - own.length).fill(1)]
    return [{ row: { tokens }, weights }]
  })
  return { blocks, whole: wholeOf(blocks), padding: plainBlock(framed([], frame)) }
}
