import type { IncomingMessage } from 'node:http'
import { joinSignals, TimeLimitError } from '../joint-signal.ts'
import { InputImageError, InputImageFault } from '../storage/input-image-error.ts'
import { sendGuarded } from './guarded-request.ts'
import type { FetchLimits } from './fetch-limits.ts'
import { HostUnknownError, TargetGuard, TargetRefusedError } from './target-guard.ts'
import type { ResolveHost } from './target-guard.ts'

/** Gets the file behind a URL. */
export type FetchImage = (url: string, signal: AbortSignal) => Promise<Uint8Array>

const maxRedirects = 3

// A compressed answer could be small and unpack to anything, so none is asked for and none is taken.
const headers = { accept: 'image/png, image/jpeg, image/webp', 'accept-encoding': 'identity', 'user-agent': 'latentd' }

/**
 * Makes the function that fetches pictures whose URLs clients wrote. Every hop is checked by the guard.
 * It throws an InputImageError, or the signal's reason when that aborts.
 * @param resolve gives all addresses of a host name; the system's resolver where absent
 */
export function createImageFetcher({ maxBytes, timeoutMs, privateHosts }: FetchLimits, resolve?: ResolveHost): FetchImage {
  const guard = new TargetGuard({ privateHosts, ...(resolve && { resolve }) })
  return async (url, signal) => {
    const joint = joinSignals([signal], timeoutMs)
    try {
      return await abortable(fetchFile(url, guard, maxBytes, joint.signal), joint.signal)
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof InputImageError) throw cause
      if (cause instanceof TargetRefusedError) throw new InputImageError(InputImageFault.invalid, `the URL is not fetched: ${cause.message}`, { cause })
      if (joint.signal.reason instanceof TimeLimitError) throw unreachable(`it took longer than ${timeoutMs / 1000} seconds`, cause)
      throw unreachable(cause instanceof HostUnknownError ? cause.message : 'the connection failed', cause)
    } finally {
      joint.leave()
    }
  }
}

async function fetchFile(url: string, guard: TargetGuard, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  let next = url
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const target = await guard.check(next)
    signal.throwIfAborted()
    const response = await sendGuarded(target, { method: 'GET', headers, signal })
    try {
      const location = locationOf(response)
      if (location === undefined) return await readFile(response, maxBytes)
      next = redirect(target.url, location)
    } finally {
      response.destroy()
    }
  }
  throw unreachable(`it redirects more than ${maxRedirects} times`)
}

function locationOf({ statusCode = 0, headers: { location } }: IncomingMessage): string | undefined {
  return [301, 302, 303, 307, 308].includes(statusCode) ? location : undefined
}

function redirect(from: URL, location: string): string {
  if (!URL.canParse(location, from.href)) throw unreachable('it redirects to something that is no URL')
  const to = new URL(location, from)
  if (from.protocol === 'https:' && to.protocol === 'http:') throw unreachable('it redirects from https to http')
  return to.href
}

async function readFile(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const { statusCode, headers: { 'content-encoding': encoding, 'content-length': length } } = response
  if (statusCode !== 200) throw unreachable(`the server answered with status ${statusCode}`)
  if (encoding !== undefined && encoding !== 'identity') throw unreachable('the server sent a compressed answer')
  if (Number(length ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Rejects as soon as the signal aborts, also while a resolver that cannot be stopped still works. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([work, aborted])
}

function unreachable(reason: string, cause?: unknown): InputImageError {
  return new InputImageError(InputImageFault.unreachable, `the picture cannot be fetched: ${reason}`, { cause })
}

function tooLarge(maxBytes: number): InputImageError {
  return new InputImageError(InputImageFault.invalid, `the file may have at most ${maxBytes} bytes`)
}
