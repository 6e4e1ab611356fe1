import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'

/** The body is larger than allowed. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError'
}

/** The body is larger than that of somebody unknown may be. */
export class StrangersBodyError extends Error {
  override readonly name = 'StrangersBodyError'
}

/** What a body may be. */
export interface BodyLimits {
  readonly maxBytes: number
  /** How much is read before it has to be known who sends it. */
  readonly maxStrangersBytes: number
  /** Whether the sender is known by what has come of the body. */
  readonly isKnownBy: (start: Buffer) => boolean
}

/** The body is not text in UTF-8. */
export class BodyEncodingError extends Error {
  override readonly name = 'BodyEncodingError'
}

/** Some programs begin a text with it. */
const byteOrderMark = Buffer.from('\ufeff')

/**
 * Reads a request's body as text, stopping as soon as it is larger than it may be.
 * @throws BodyTooLargeError, StrangersBodyError, BodyEncodingError, or the socket's error when the client hangs up.
 */
export async function readBody(request: IncomingMessage, { maxBytes, maxStrangersBytes, isKnownBy }: BodyLimits): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new BodyTooLargeError('The body is too large')
  const chunks: Buffer[] = []
  let size = 0
  let isKnown = false
  // Without destroyOnReturn the loop would end the socket, and with it the answer that says why.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new BodyTooLargeError('The body is too large')
    chunks.push(chunk)
    if (isKnown || size <= maxStrangersBytes) continue
    isKnown = isKnownBy(Buffer.concat(chunks))
    if (!isKnown) throw new StrangersBodyError('The body is too large for somebody unknown')
  }
  const bytes = Buffer.concat(chunks)
  if (!isUtf8(bytes)) throw new BodyEncodingError('The body is not UTF-8')
  return bytes.toString('utf8', bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0)
}
