import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nanoid } from 'nanoid'
import { validate as isUuid } from 'uuid'
import { decodeImageFile, encodeImageFile } from './image-file.ts'
import { patientFiles } from './image-files.ts'
import type { ImageFiles } from './image-files.ts'
import type { ImageStore, StoredImage } from './image-store.ts'
import { errnoOf, toStorageError } from './storage-error.ts'

/** Where and how pictures are kept. */
export interface DiskImageStoreOptions {
  readonly folder: string
  /** Wall clock, ms since the epoch. */
  readonly now: () => number
  /** How files are written and read. @default patientFiles */
  readonly files?: ImageFiles
}

const imageSuffix = '.image'
const partSuffix = '.part'

/** A part that nobody has finished for this long belongs to a process that died. */
const abandonedPartMs = 3_600_000

/** Files looked at in one go by a sweep. */
const sweepBatch = 64

/**
 * Pictures as files in one flat folder, named by their UUID alone; several processes may write and read it at once.
 *
 * A file's modification time is its expiry, so that a sweep opens no file; the facts inside decide what is served.
 */
export class DiskImageStore implements ImageStore {
  readonly #folder: string
  readonly #now: () => number
  readonly #files: ImageFiles

  constructor({ folder, now, files = patientFiles }: DiskImageStoreOptions) {
    this.#folder = folder
    this.#now = now
    this.#files = files
  }

  /** Makes the folder; throws a StorageError when it cannot be made or written. */
  async start(): Promise<void> {
    const probe = join(this.#folder, `probe-${nanoid()}${partSuffix}`)
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await writeFile(probe, '')
      await rm(probe)
    } catch (cause) {
      throw toStorageError(cause)
    }
  }

  async put(image: StoredImage, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(image.imageUUID)
    if (!path) throw new Error('A picture is stored under a UUID')
    if (image.byteLength !== bytes.length) throw new Error(`A picture of ${image.byteLength} bytes came with ${bytes.length}`)
    const part = `${path}-${nanoid()}${partSuffix}`
    try {
      await this.#files.publish({ part, path, bytes: encodeImageFile(image, bytes), date: image.expiresAt / 1000 })
    } catch (cause) {
      await rm(part, { force: true })
      throw toStorageError(cause)
    }
  }

  async read(imageUUID: string): Promise<{ readonly image: StoredImage; readonly bytes: Uint8Array } | undefined> {
    const path = this.#pathOf(imageUUID)
    if (!path) return undefined
    try {
      const file = decodeImageFile(await this.#files.read(path))
      return file && file.image.expiresAt > this.#now() ? file : undefined
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return undefined
      throw toStorageError(cause)
    }
  }

  async sweep(now: number): Promise<number> {
    let removed = 0
    try {
      const names = await readdir(this.#folder)
      for (let first = 0; first < names.length; first += sweepBatch) {
        const swept = await Promise.all(names.slice(first, first + sweepBatch).map(name => this.#sweepFile(name, now)))
        removed += swept.filter(isImage => isImage).length
      }
    } catch (cause) {
      throw toStorageError(cause)
    }
    return removed
  }

  /** Removes a file that is due; true when it was a picture. */
  async #sweepFile(name: string, now: number): Promise<boolean> {
    const path = join(this.#folder, name)
    const isImage = name.endsWith(imageSuffix)
    if (!isImage && !name.endsWith(partSuffix)) return false
    try {
      const { mtimeMs, ctimeMs } = await stat(path)
      // A part's own times say when it was written; its modification time may already be its expiry.
      const isDue = isImage ? mtimeMs <= now : ctimeMs + abandonedPartMs <= now
      if (isDue) await rm(path, { force: true })
      return isImage && isDue
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return false // another process swept it, or renamed it into place
      throw cause
    }
  }

  /** No text of a client becomes a path: it is a UUID, or there is no such picture. */
  #pathOf(imageUUID: string): string | undefined {
    return isUuid(imageUUID) ? join(this.#folder, imageUUID.toLowerCase() + imageSuffix) : undefined
  }
}
