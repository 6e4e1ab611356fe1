import type { PromptToken } from './prompt-token.ts'
import type { TextTokens } from './prompt-tokenizer.ts'

const SENTENCE_END = new Set(['.</w>'])
const PHRASE_END = new Set(['.</w>', ',</w>', ';</w>', ':</w>'])
const WORD_END = '</w>'

/**
 * Lengths of the chunks that tokens are split into: behind the last sentence that fits, else the last phrase, else the last
 * word, else where the room ends; as compel splits long texts. At least one.
 */
export function splitAtSentences(tokens: readonly PromptToken[], { frame, pieceOf }: TextTokens): readonly number[] {
  const room = frame.length - 2
  const pieces = tokens.map(token => (typeof token === 'number' ? pieceOf(token) : ''))
  const ends: readonly ((piece: string) => boolean)[] = [
    piece => SENTENCE_END.has(piece),
    piece => PHRASE_END.has(piece),
    piece => piece.endsWith(WORD_END),
  ]
  const lengths: number[] = []
  let from = 0
  while (tokens.length - from > room) {
    const candidates = pieces.slice(from, from + room)
    const last = ends.map(isEnd => candidates.findLastIndex(isEnd)).find(index => index >= 0)
    const length = last === undefined ? room : last + 1
    lengths.push(length)
    from += length
  }
  return [...lengths, tokens.length - from]
}
