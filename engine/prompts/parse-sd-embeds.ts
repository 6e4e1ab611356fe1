import { PromptError } from './prompt-error.ts'
import type { WeightedText } from './weighted-text.ts'

/** Escapes, brackets, a weight that closes a bracket, and plain text. */
const TOKENS = /\\[()[\]\\]?|\(|\[|:([+-]?[.\d]+)\)|\)|\]|[^\\()[\]:]+|:/g
/** By which round brackets multiply what is in them, and square ones divide it. */
const BRACKET_FACTOR = 1.1

interface Piece {
  text: string
  weight: number
}

/**
 * Parses a prompt in the syntax that sd_embed took from the web user interface: `(word)`, `(word:1.3)`, `[word]`, nested as
 * one likes; a backslash in front takes the meaning from a bracket. What is not closed lasts to the end.
 * Throws a PromptError for a weight that is no number.
 */
export function parseSdEmbeds(prompt: string): readonly WeightedText[] {
  const pieces: Piece[] = []
  const open: Readonly<Record<'(' | '[', number[]>> = { '(': [], '[': [] }
  const multiply = (from: number, factor: number): void => {
    for (const piece of pieces.slice(from)) piece.weight *= factor
  }
  for (const [token, weight] of prompt.matchAll(TOKENS)) {
    if (token.startsWith('\\')) pieces.push({ text: token.slice(1), weight: 1 })
    else if (token === '(' || token === '[') open[token].push(pieces.length)
    else if (weight !== undefined && open['('].length > 0) multiply(open['('].pop() as number, numberOf(weight))
    else if (token === ')' && open['('].length > 0) multiply(open['('].pop() as number, BRACKET_FACTOR)
    else if (token === ']' && open['['].length > 0) multiply(open['['].pop() as number, 1 / BRACKET_FACTOR)
    else pieces.push({ text: token, weight: 1 })
  }
  for (const from of open['(']) multiply(from, BRACKET_FACTOR)
  for (const from of open['[']) multiply(from, 1 / BRACKET_FACTOR)
  return joined(pieces)
}

/** Neighbours of equal weight are one text. */
function joined(pieces: readonly Piece[]): readonly WeightedText[] {
  const texts: WeightedText[] = []
  for (const { text, weight } of pieces) {
    const last = texts.at(-1)
    if (last?.weight === weight) texts[texts.length - 1] = { text: last.text + text, weight }
    else texts.push({ text, weight })
  }
  return texts
}

function numberOf(weight: string): number {
  const value = Number(weight)
  if (!Number.isFinite(value)) throw new PromptError(`(text:weight) takes a number as its weight, not ${JSON.stringify(weight)}`)
  return value
}
