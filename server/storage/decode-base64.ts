import { setImmediate as yieldToEventLoop } from 'node:timers/promises'

/** Characters decoded in one go: a multiple of four, and half a millisecond. */
const sliceLength = 131_072

/**
 * Decodes the base64 that begins at `start`, a slice at a time, so that a large one keeps nobody waiting.
 * Undefined when it is empty or holds anything but the alphabet and the padding at its end.
 * @param onBytes gets each decoded part
 */
export async function decodeBase64(text: string, start: number, onBytes: (bytes: Uint8Array) => void): Promise<Uint8Array | undefined> {
  const end = start + withoutPadding(text.slice(-2), text.length - start)
  const rest = (end - start) % 4
  if (end <= start || rest === 1) return undefined
  const bytes = Buffer.allocUnsafe(Math.floor((end - start) / 4) * 3 + Math.max(0, rest - 1))
  let offset = 0
  for (let from = start; from < end; from += sliceLength) {
    if (from > start) await yieldToEventLoop()
    const part = text.slice(from, Math.min(end, from + sliceLength))
    const expected = Math.floor((part.length * 3) / 4)
    // The decoder skips what it does not know and stops at padding, and has fewer bytes then.
    const written = bytes.write(part, offset, 'base64')
    if (written !== expected) return undefined
    onBytes(bytes.subarray(offset, offset + written))
    offset += written
  }
  return bytes
}

function withoutPadding(tail: string, length: number): number {
  return length - (tail.endsWith('==') ? 2 : tail.endsWith('=') ? 1 : 0)
}

/** How many bytes a base64 text of this many characters stands for, at most. */
export function decodedLength(characters: number): number {
  return Math.ceil((characters * 3) / 4)
}
