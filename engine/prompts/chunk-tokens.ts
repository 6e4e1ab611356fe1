import type { PromptToken } from './prompt-token.ts'

/** The frame around each chunk's tokens. */
export interface ChunkFrame {
  readonly start: number
  readonly end: number
  readonly pad: number
  /** Tokens of a chunk, start and end included; at least 3. */
  readonly length: number
}

/** Splits tokens into chunks of equal length, each with its start and end token, the last one padded; at least one chunk. */
export function chunkTokens<Token extends PromptToken>(tokens: readonly Token[], frame: ChunkFrame): readonly (readonly (Token | number)[])[] {
  const room = frame.length - 2
  const count = Math.max(1, Math.ceil(tokens.length / room))
  return Array.from({ length: count }, (_, i) => framed(tokens.slice(i * room, (i + 1) * room), frame))
}

/** A chunk of these tokens. */
export function framed<Token extends PromptToken>(tokens: readonly Token[], { start, end, pad, length }: ChunkFrame): readonly (Token | number)[] {
  const chunk = [start, ...tokens, end]
  return [...chunk, ...new Array<number>(length - chunk.length).fill(pad)]
}
