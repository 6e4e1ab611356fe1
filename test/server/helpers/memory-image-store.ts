import type { ImageStore, StoredImage } from '../../../server/storage/image-store.ts'

/** Pictures in memory, for tests that are not about the store. */
export class MemoryImageStore implements ImageStore {
  readonly #images = new Map<string, { readonly image: StoredImage; readonly bytes: Uint8Array }>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  async put(image: StoredImage, bytes: Uint8Array): Promise<void> {
    this.#images.set(image.imageUUID, { image, bytes })
  }

  async read(imageUUID: string): Promise<{ readonly image: StoredImage; readonly bytes: Uint8Array } | undefined> {
    const found = this.#images.get(imageUUID.toLowerCase())
    return found && found.image.expiresAt > this.#now() ? found : undefined
  }

  async sweep(): Promise<number> {
    return 0
  }
}
