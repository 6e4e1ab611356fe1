import { setTimeout as sleep } from 'node:timers/promises'
import { joinSignals, TimeLimitError } from '../joint-signal.ts'
import type { FetchLimits } from './fetch-limits.ts'
import { sendGuarded } from './guarded-request.ts'
import { HostUnknownError, TargetGuard, TargetRefusedError } from './target-guard.ts'
import type { ResolveHost, Target } from './target-guard.ts'

/** A file to send, and what it is. */
export interface Upload {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

/** Sends a file to a URL; why it could not be sent is an UploadError. Rejects with the signal's reason when that aborts. */
export type UploadImage = (url: string, upload: Upload, signal: AbortSignal) => Promise<void>

/** A file was not taken. The message is for the client and ends without a full stop. */
export class UploadError extends Error {
  override readonly name = 'UploadError'
}

/** Another try may end otherwise. */
class PassingError extends UploadError {}

/** Pauses before the second and the third try. */
const pausesMs = [250, 1000]

/**
 * Makes the function that sends pictures to URLs that clients wrote, with HTTP PUT. Sending the same picture again changes
 * nothing at the other end, so what fails in passing is tried three times, within one time for all; no redirect is followed.
 * @param resolve gives all addresses of a host name; the system's resolver where absent
 */
export function createImageUploader({ timeoutMs, privateHosts }: Pick<FetchLimits, 'timeoutMs' | 'privateHosts'>, resolve?: ResolveHost): UploadImage {
  const guard = new TargetGuard({ privateHosts, ...(resolve && { resolve }) })
  return async (url, upload, signal) => {
    const joint = joinSignals([signal], timeoutMs)
    try {
      const target = await guard.check(url)
      for (const pauseMs of pausesMs) {
        try {
          return await put(target, upload, joint.signal)
        } catch (error) {
          if (!(error instanceof PassingError)) throw error
          await sleep(pauseMs, undefined, { signal: joint.signal })
        }
      }
      await put(target, upload, joint.signal)
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof UploadError) throw cause
      if (joint.signal.reason instanceof TimeLimitError) throw new UploadError(`it took longer than ${timeoutMs / 1000} seconds`, { cause })
      if (cause instanceof TargetRefusedError || cause instanceof HostUnknownError) throw new UploadError(cause.message, { cause })
      throw cause
    } finally {
      joint.leave()
    }
  }
}

async function put(target: Target, { bytes, mediaType }: Upload, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const headers = { 'content-type': mediaType, 'content-length': bytes.length, 'user-agent': 'latentd' }
  const response = await sendGuarded(target, { method: 'PUT', headers, body: bytes, signal }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new PassingError('the connection failed', { cause })
  })
  // What the other side says beside its status is not read.
  response.destroy()
  const { statusCode: status = 0 } = response
  if (status >= 200 && status < 300) return
  const isPassing = status >= 500 || status === 408 || status === 429
  throw new (isPassing ? PassingError : UploadError)(`the server answered with status ${status}`)
}
