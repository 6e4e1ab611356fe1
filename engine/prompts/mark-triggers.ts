import type { PromptEmbedding } from './prompt-token.ts'

/** Half characters, which no text has: they stand for the embeddings while a prompt is parsed. */
const FIRST_MARK = 0xd800
const MOST_MARKS = 0x400
const MARK = /([\ud800-\udbff](?![\udc00-\udfff]))/

/** Text between marks, or the index of the embedding that a mark stands for. */
export type MarkedPart = string | number

/**
 * A prompt with a mark in place of each embedding's trigger, in any case; a trigger that begins or ends with a letter or a
 * digit counts as a whole word only. So no syntax of weights sees the signs a trigger is made of. The longest one counts.
 */
export function markTriggers(prompt: string, embeddings: readonly PromptEmbedding[]): string {
  if (embeddings.length > MOST_MARKS) throw new RangeError(`expected at most ${MOST_MARKS} embeddings, got ${embeddings.length}`)
  const text = prompt.replace(/\p{Surrogate}/gu, '\ufffd')
  if (embeddings.length === 0) return text
  const byTrigger = new Map(embeddings.map(({ trigger }, index) => [trigger.toLowerCase(), index]))
  const longestFirst = [...byTrigger.keys()].sort((a, b) => b.length - a.length)
  const pattern = new RegExp(longestFirst.map(patternOf).join('|'), 'giu')
  return text.replace(pattern, found => markOf(byTrigger.get(found.toLowerCase()) as number))
}

/** The embeddings whose triggers a prompt has, by their index. */
export function findTriggers(prompt: string, embeddings: readonly PromptEmbedding[]): readonly number[] {
  return splitMarks(markTriggers(prompt, embeddings)).filter(part => typeof part === 'number')
}

/** The mark that stands for an embedding. */
export function markOf(index: number): string {
  return String.fromCharCode(FIRST_MARK + index)
}

/** Takes a marked text apart again. */
export function splitMarks(text: string): readonly MarkedPart[] {
  return text.split(MARK).map((part, index) => (index % 2 === 0 ? part : part.charCodeAt(0) - FIRST_MARK))
}

function patternOf(trigger: string): string {
  const literal = trigger.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  const starts = /^[\p{L}\p{N}_]/u.test(trigger) ? '(?<![\\p{L}\\p{N}_])' : ''
  const ends = /[\p{L}\p{N}_]$/u.test(trigger) ? '(?![\\p{L}\\p{N}_])' : ''
  return starts + literal + ends
}
