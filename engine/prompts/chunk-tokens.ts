/** The frame around each chunk's tokens. */
export interface ChunkFrame {
  readonly start: number
  readonly end: number
  readonly pad: number
  /** Tokens of a chunk, start and end included; at least 3. */
  readonly length: number
}

/** Splits tokens into chunks of equal length, each with its start and end token, the last one padded; at least one chunk. */
export function chunkTokens(tokens: readonly number[], { start, end, pad, length }: ChunkFrame): readonly (readonly number[])[] {
  const room = length - 2
  const count = Math.max(1, Math.ceil(tokens.length / room))
  return Array.from({ length: count }, (_, i) => {
    const chunk = [start, ...tokens.slice(i * room, (i + 1) * room), end]
    return [...chunk, ...new Array<number>(length - chunk.length).fill(pad)]
  })
}
