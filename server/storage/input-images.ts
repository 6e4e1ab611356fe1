import { createHash, createHmac, randomUUID } from 'node:crypto'
import { v4 as uuidV4 } from 'uuid'
import { sniffFormat } from '../../engine/index.ts'
import { decodeBase64, decodedLength } from './decode-base64.ts'
import { HeldBytes } from './held-bytes.ts'
import type { ImageStore, StoredImage } from './image-store.ts'
import { InputImageError, InputImageFault } from './input-image-error.ts'

/** Caps and times of the pictures that clients send. */
export interface InputImageLimits {
  /** Largest file. */
  readonly maxImageBytes: number
  /** Most bytes of sent pictures that one account has in the store. */
  readonly maxBytesPerAccount: number
  /** Lifetime of a picture inside a task. */
  readonly inlineTtlSeconds: number
  /** Lifetime of an uploaded picture whose task says nothing. */
  readonly uploadTtlSeconds: number
}

/** What keeping sent pictures takes. */
export interface InputImagesOptions {
  readonly store: Pick<ImageStore, 'put'>
  readonly limits: InputImageLimits
  /** Makes the UUIDs of pictures inside tasks unguessable; the same after a restart. */
  readonly secret: Uint8Array
  /** Wall clock, ms since the epoch. */
  readonly now: () => number
}

/** Base64 that waits for its turn or is being stored; it lies in memory, so there is a cap on all of it. */
const maxPendingBytes = 256 * 2 ** 20

/**
 * Keeps pictures that clients send in the image store, as their account's own. Texts are decoded one after another and a
 * slice at a time, so that the event loop turns meanwhile. Every refusal is an InputImageError.
 */
export class InputImages {
  readonly #options: InputImagesOptions
  readonly #held: HeldBytes
  #pendingBytes = 0
  /** The end of the line of texts to decode. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: InputImagesOptions) {
    this.#options = options
    this.#held = new HeldBytes(options.limits.maxBytesPerAccount)
  }

  /**
   * Keeps a picture that came inside a task, for a short time. The same file of the same account is kept once, under a
   * UUID that follows from it, so that a task that is sent again takes no more room.
   * @param start where the base64 begins in the text
   */
  async keepInline(account: string, text: string, start: number): Promise<StoredImage> {
    const hash = createHash('sha256')
    return this.#decoding(text, start, bytes => hash.update(bytes), bytes => {
      const { secret, limits } = this.#options
      const digest = createHmac('sha256', secret).update(`${account}|inline|`).update(hash.digest()).digest()
      return this.#keep(account, uuidV4({ random: digest.subarray(0, 16) }), bytes, limits.inlineTtlSeconds)
    })
  }

  /** Keeps an uploaded picture given in base64, under a UUID of its own. */
  async keepUpload(account: string, text: string, start: number, ttlSeconds?: number): Promise<StoredImage> {
    return this.#decoding(text, start, () => undefined, bytes => this.keepFile(account, bytes, ttlSeconds))
  }

  /** Keeps an uploaded picture given as a file, under a UUID of its own. */
  async keepFile(account: string, bytes: Uint8Array, ttlSeconds = this.#options.limits.uploadTtlSeconds): Promise<StoredImage> {
    return this.#keep(account, randomUUID(), bytes, ttlSeconds)
  }

  /** Forgets what has expired. */
  sweep(now: number): void {
    this.#held.sweep(now)
  }

  async #decoding<T>(text: string, start: number, onBytes: (bytes: Uint8Array) => void, use: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const { maxImageBytes } = this.#options.limits
    const size = decodedLength(text.length - start)
    // Two characters may be padding.
    if (size > maxImageBytes + 2) throw tooLarge(maxImageBytes)
    if (this.#pendingBytes + size > maxPendingBytes) throw new InputImageError(InputImageFault.full, 'too many pictures are on their way to the image store')
    this.#pendingBytes += size
    const decoded = this.#turn.then(() => decodeBase64(text, start, onBytes))
    this.#turn = decoded
    try {
      const bytes = await decoded
      if (!bytes) throw new InputImageError(InputImageFault.invalid, 'it is neither the UUID of a picture nor a URL, a data URI or base64')
      return await use(bytes)
    } finally {
      this.#pendingBytes -= size
    }
  }

  async #keep(account: string, imageUUID: string, bytes: Uint8Array, ttlSeconds: number): Promise<StoredImage> {
    const { store, limits, now } = this.#options
    if (bytes.length > limits.maxImageBytes) throw tooLarge(limits.maxImageBytes)
    const format = sniffFormat(bytes)
    if (!format) throw new InputImageError(InputImageFault.invalid, 'the file is no PNG, JPG or WEBP picture')
    const image: StoredImage = { imageUUID, account, format, byteLength: bytes.length, expiresAt: now() + ttlSeconds * 1000 }
    if (!this.#held.take(imageUUID, account, bytes.length, image.expiresAt)) {
      throw new InputImageError(InputImageFault.full, `the pictures that this account has sent take up ${limits.maxBytesPerAccount} bytes already`)
    }
    try {
      await store.put(image, bytes)
    } catch (cause) {
      this.#held.drop(imageUUID)
      throw new InputImageError(InputImageFault.unreachable, 'the image store cannot take it at the moment', { cause })
    }
    return image
  }
}

function tooLarge(maxBytes: number): InputImageError {
  return new InputImageError(InputImageFault.invalid, `the file may have at most ${maxBytes} bytes`)
}
