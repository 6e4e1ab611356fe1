import { framed } from './chunk-tokens.ts'
import { flattenCompel } from './flatten-compel.ts'
import type { CompelPart } from './flatten-compel.ts'
import { parseCompel } from './parse-compel.ts'
import { PromptError } from './prompt-error.ts'
import { plainBlock } from './prompt-plan.ts'
import type { PlanBlock, PlanTerm, PromptPlan } from './prompt-plan.ts'
import type { PromptToken } from './prompt-token.ts'
import { splitAtSentences } from './split-at-sentences.ts'
import type { TextTokens } from './prompt-tokenizer.ts'
import type { WeightedText } from './weighted-text.ts'

/** A weight is taken as no smaller than this where its tangent is needed. */
const SMALLEST_WEIGHT = 1e-5
/** Passages of a weight below 1 in one prompt: each is a row of the text encoder more. */
const MOST_LIGHT_PASSAGES = 128

/**
 * Plans a prompt in compel's syntax, as version 2.5.1 of the reference encodes it.
 *
 * 1. A passage's states are moved away from those of no text by its weight: e + w · (z − e).
 * 2. For each passage of a weight below 1, the prompt is encoded once more with the passage hidden, and mixed in with
 *    tan((1 − w) · π / 2) parts to one part of the prompt.
 * 3. `.blend()` sums its prompts by their shares, `.and()` puts them one after the other.
 *
 * Every step is linear in encoded rows, so the plan is weights of rows. Throws a PromptError for what cannot be followed.
 */
export function planCompel(prompt: string, appended: string, tokenizer: TextTokens): PromptPlan {
  const padding = plainBlock(framed([], tokenizer.frame))
  const [first, ...others] = prompt.trim() === '' ? [EMPTY_PART] : flattenCompel(parseCompel(prompt)).parts
  const parts = [appendTo(first as CompelPart, appended), ...others]
  // The reference takes the text as one vector with its syntax in it, cut where the encoder ends.
  const whole = framed([...tokenizer.tokens(prompt), ...tokenizer.tokens(appended)].slice(0, tokenizer.frame.length - 2), tokenizer.frame)
  return { blocks: parts.flatMap(part => partBlocks(part, tokenizer, padding)), whole: { tokens: whole }, padding }
}

const EMPTY_PART: CompelPart = { prompts: [[{ text: '', weight: 1 }]], shares: [1], weight: 1 }

function appendTo(part: CompelPart, text: string): CompelPart {
  return text === '' ? part : { ...part, prompts: part.prompts.map(texts => [...texts, { text, weight: 1 }]) }
}

function partBlocks({ prompts, shares, weight }: CompelPart, tokenizer: TextTokens, padding: PlanBlock): readonly PlanBlock[] {
  const planned = prompts.map(texts => textBlocks(texts, tokenizer, padding))
  const count = Math.max(...planned.map(blocks => blocks.length))
  return Array.from({ length: count }, (_, place) => {
    const blended = planned.flatMap((blocks, index) => scaled(blocks[place] ?? padding, shares[index] as number))
    return weight === 1 ? blended : [...scaled(blended, weight), ...scaled(padding, 1 - weight)]
  })
}

/** A passage of weight below 1: its places among all tokens, and how much of the prompt without it is mixed in. */
interface LightPassage {
  readonly first: number
  readonly last: number
  readonly share: number
}

function textBlocks(texts: readonly WeightedText[], tokenizer: TextTokens, padding: PlanBlock): readonly PlanBlock[] {
  const tokens: PromptToken[] = []
  const weights: number[] = []
  const light: LightPassage[] = []
  for (const { text, weight } of texts) {
    const own = tokenizer.tokens(text)
    if (weight < 1 && own.length > 0) {
      light.push({ first: tokens.length, last: tokens.length + own.length - 1, share: Math.tan(((1 - Math.max(SMALLEST_WEIGHT, weight)) * Math.PI) / 2) })
    }
    tokens.push(...own)
    weights.push(...own.map(() => weight))
  }
  if (light.length > MOST_LIGHT_PASSAGES) throw new PromptError(`it has ${light.length} passages of a weight below 1; ${MOST_LIGHT_PASSAGES} are followed`)
  const lengths = splitAtSentences(tokens, tokenizer)
  const total = light.reduce((sum, { share }) => sum + share, 1)
  let start = 0
  return lengths.map((length, chunk) => {
    const chunkTokens = framed(tokens.slice(start, start + length), tokenizer.frame)
    const chunkWeights = [1, ...weights.slice(start, start + length), ...new Array<number>(chunkTokens.length - 1 - length).fill(1)]
    const placeOf = places(lengths, tokenizer.frame.length)
    start += length
    const hidden = light.flatMap(({ first, last, share }) => {
      const range = within(placeOf(first), placeOf(last), chunk * chunkTokens.length, chunkTokens.length)
      return range ? [{ range, share: share / total }] : []
    })
    return chunkBlock(chunkTokens, chunkWeights, hidden, padding)
  })
}

interface HiddenRange {
  readonly range: readonly [number, number]
  readonly share: number
}

function chunkBlock(tokens: readonly PromptToken[], weights: readonly number[], hidden: readonly HiddenRange[], padding: PlanBlock): PlanBlock {
  const isPlain = weights.every(weight => weight === 1)
  const times = (share: number): PlanTerm['weights'] => (isPlain ? share : weights.map(weight => share * weight))
  const shown = hidden.reduce((rest, { share }) => rest - share, 1)
  return [
    { row: { tokens }, weights: times(shown) },
    ...hidden.map(({ range, share }): PlanTerm => ({ row: { tokens, hidden: range }, weights: times(share) })),
    ...(isPlain ? [] : padding.map(({ row }): PlanTerm => ({ row, weights: weights.map(weight => 1 - weight) }))),
  ]
}

/** Where a token stands when all chunks are one after the other. */
function places(lengths: readonly number[], chunkLength: number): (token: number) => number {
  return token => {
    let start = 0
    let chunk = 0
    while (token >= start + (lengths[chunk] as number)) start += lengths[chunk++] as number
    return chunk * chunkLength + 1 + token - start
  }
}

/** The part of a range of places that lies in a chunk, inside its first and last place, which are never hidden. */
function within(first: number, last: number, start: number, length: number): readonly [number, number] | undefined {
  const from = Math.max(first - start, 1)
  const to = Math.min(last - start, length - 2)
  return from <= to ? [from, to] : undefined
}

function scaled(block: PlanBlock, factor: number): PlanBlock {
  if (factor === 1) return block
  return block.map(({ row, weights }) => ({ row, weights: typeof weights === 'number' ? weights * factor : weights.map(weight => weight * factor) }))
}
