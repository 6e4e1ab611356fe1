import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'

/** The body is larger than allowed. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError'
}

/** The body is not text in UTF-8. */
export class BodyEncodingError extends Error {
  override readonly name = 'BodyEncodingError'
}

/** Some programs begin a text with it. */
const byteOrderMark = Buffer.from('\ufeff')

/**
 * Reads a request's body as text, stopping as soon as it is larger than `maxBytes`.
 * @throws BodyTooLargeError, BodyEncodingError, or the socket's error when the client hangs up.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new BodyTooLargeError('The body is too large')
  const chunks: Buffer[] = []
  let size = 0
  // Without destroyOnReturn the loop would end the socket, and with it the answer that says why.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new BodyTooLargeError('The body is too large')
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  if (!isUtf8(bytes)) throw new BodyEncodingError('The body is not UTF-8')
  return bytes.toString('utf8', bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0)
}
