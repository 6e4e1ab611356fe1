import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import type { ImageStore, StoredImage } from '../../../server/storage/image-store.ts'

/** A store under test, and its clock. */
export interface StoreHarness {
  readonly store: ImageStore
  /** Sets the wall clock, ms since the epoch. */
  setNow(now: number): void
}

/** When a harness's clock starts. */
export const startOfTime = 1_800_000_000_000

/** The one suite that every implementation of ImageStore passes. */
export function testStore(name: string, makeHarness: (t: Test) => Promise<StoreHarness>): void {
  const scenario = (title: string, run: (t: Test, harness: StoreHarness) => Promise<void>) =>
    t.test(`${name}: ${title}`, async t => run(t, await makeHarness(t)))

  scenario('a stored picture is read back with its facts', async (t, { store }) => {
    for (const format of ['JPG', 'PNG', 'WEBP'] as const) {
      const { image, bytes } = makeImage({ format })
      await store.put(image, bytes)
      const read = await store.read(image.imageUUID)
      t.strictSame(read?.image, image)
      t.ok(read && Buffer.compare(read.bytes, bytes) === 0)
    }
  })

  scenario('a UUID in upper case names the same picture', async (t, { store }) => {
    const { image, bytes } = makeImage()
    await store.put(image, bytes)
    t.ok(await store.read(image.imageUUID.toUpperCase()))
  })

  scenario('what never was, and what is no UUID, reads as undefined', async (t, { store }) => {
    for (const id of [randomUUID(), '', '..', '../../etc/passwd', 'a/b', '%2e%2e', 'x\0y', 'con', `${randomUUID()}.image`]) {
      t.equal(await store.read(id), undefined, JSON.stringify(id))
    }
  })

  scenario('nothing is stored under what is no UUID', async (t, { store }) => {
    const { image, bytes } = makeImage()
    await t.rejects(store.put({ ...image, imageUUID: '../escape' }, bytes))
  })

  scenario('storing a picture again replaces it with the same', async (t, { store }) => {
    const { image, bytes } = makeImage()
    await Promise.all([store.put(image, bytes), store.put(image, bytes), store.put(image, bytes)])
    t.ok(await store.read(image.imageUUID))
    t.equal(await store.sweep(image.expiresAt), 1)
  })

  scenario('a picture is gone after its expiry, before any sweep', async (t, { store, setNow }) => {
    const { image, bytes } = makeImage()
    await store.put(image, bytes)
    setNow(image.expiresAt - 1)
    t.ok(await store.read(image.imageUUID))
    setNow(image.expiresAt)
    t.equal(await store.read(image.imageUUID), undefined)
  })

  scenario('a sweep removes what has expired, says how many, and leaves the rest', async (t, { store }) => {
    const kept = makeImage({ expiresAt: startOfTime + 100_000 })
    await store.put(kept.image, kept.bytes)
    for (let i = 0; i < 70; i++) {
      const { image, bytes } = makeImage({ expiresAt: startOfTime + 50_000 })
      await store.put(image, bytes)
    }
    t.equal(await store.sweep(startOfTime + 49_999), 0)
    t.equal(await store.sweep(startOfTime + 50_000), 70)
    t.equal(await store.sweep(startOfTime + 50_000), 0)
    t.ok(await store.read(kept.image.imageUUID))
  })

  scenario('a reader sees all of a picture or nothing while it is stored', async (t, { store }) => {
    const { image, bytes } = makeImage({ size: 2_000_000 })
    let isStored = false
    const stored = store.put(image, bytes).then(() => { isStored = true })
    while (!isStored) {
      const read = await store.read(image.imageUUID)
      if (read && Buffer.compare(read.bytes, bytes) !== 0) t.fail('a part of a picture was seen')
    }
    await stored
    t.ok(await store.read(image.imageUUID))
  })

  scenario('a length that is not the length of the bytes is refused', async (t, { store }) => {
    const { image, bytes } = makeImage()
    await t.rejects(store.put({ ...image, byteLength: 1 }, bytes))
    t.equal(await store.read(image.imageUUID), undefined)
  })
}

/** A picture to store. */
export function makeImage({ format = 'PNG', size = 1000, expiresAt = startOfTime + 3_600_000 }: { format?: StoredImage['format']; size?: number; expiresAt?: number } = {}) {
  const bytes = randomBytes(size)
  const image: StoredImage = { imageUUID: randomUUID(), account: 'key:Ünï/..\n', format, byteLength: size, expiresAt }
  return { image, bytes }
}
