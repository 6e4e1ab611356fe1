/** A stored picture's facts. */
export interface StoredImage {
  readonly imageUUID: string
  readonly account: string
  readonly format: 'JPG' | 'PNG' | 'WEBP'
  readonly byteLength: number
  /** Wall clock, ms since the epoch; the picture is gone after it. */
  readonly expiresAt: number
}

/**
 * Where finished pictures lie: disk by default, an object store where several machines share it.
 * `put` is atomic (a reader sees all bytes or nothing) and idempotent by imageUUID.
 */
export interface ImageStore {
  put(image: StoredImage, bytes: Uint8Array): Promise<void>
  /** The bytes and facts, or undefined when it never was, has expired, or is not a UUID. */
  read(imageUUID: string): Promise<{ readonly image: StoredImage; readonly bytes: Uint8Array } | undefined>
  /** Removes what has expired; returns how many. */
  sweep(now: number): Promise<number>
}
