import { chmod, mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { DiskImageStore } from '../../../server/storage/disk-image-store.ts'
import { StorageError } from '../../../server/storage/storage-error.ts'
import { patientFiles, promptFiles } from '../../../server/storage/image-files.ts'
import { makeImage, startOfTime, testStore } from './conformance.ts'

for (const [name, files] of Object.entries({ patientFiles, promptFiles })) {
  testStore(`disk store, ${name}`, async t => {
    let now = startOfTime
    const store = new DiskImageStore({ folder: join(t.testdir(), 'images'), now: () => now, files })
    await store.start()
    return { store, setNow: time => { now = time } }
  })
}

t.test('prompt files are written and read before the event loop turns', async t => {
  const store = new DiskImageStore({ folder: t.testdir(), now: () => startOfTime, files: promptFiles })
  const { image, bytes } = makeImage()
  let hasTurned = false
  setImmediate(() => { hasTurned = true })
  await store.put(image, bytes)
  t.strictSame(Buffer.from((await store.read(image.imageUUID))?.bytes ?? []), Buffer.from(bytes))
  t.notOk(hasTurned)
})

t.test('a full disk is an error without a path, and leaves nothing behind', async t => {
  const folder = t.testdir()
  const store = new DiskImageStore({
    folder,
    now: () => startOfTime,
    files: {
      ...patientFiles,
      publish: async ({ part, bytes }) => {
        await writeFile(part, bytes.subarray(0, 10))
        throw Object.assign(new Error(`ENOSPC: no space left on device, write '${part}'`), { code: 'ENOSPC' })
      },
    },
  })
  const { image, bytes } = makeImage()
  const error = await store.put(image, bytes).catch((error: unknown) => error)
  t.type(error, StorageError)
  t.match(error, { fault: 'full', message: 'The image store has no space left' })
  t.strictSame(await readdir(folder), [])
  t.equal(await store.read(image.imageUUID), undefined)
})

t.test('pictures lie flat, readable by the server alone, under their UUID', async t => {
  const folder = join(t.testdir(), 'images')
  const store = new DiskImageStore({ folder, now: () => startOfTime })
  await store.start()
  const { image, bytes } = makeImage()
  await store.put(image, bytes)
  t.strictSame(await readdir(folder), [`${image.imageUUID}.image`])
  t.equal((await stat(join(folder, `${image.imageUUID}.image`))).mode & 0o077, 0)
  t.equal((await stat(folder)).mode & 0o077, 0)
})

t.test('another process sees what this one stored', async t => {
  const folder = t.testdir()
  const { image, bytes } = makeImage()
  await new DiskImageStore({ folder, now: () => startOfTime }).put(image, bytes)
  t.strictSame((await new DiskImageStore({ folder, now: () => startOfTime }).read(image.imageUUID))?.image, image)
})

t.test('a file that is cut short, empty or not ours reads as undefined', async t => {
  const folder = t.testdir()
  const store = new DiskImageStore({ folder, now: () => startOfTime })
  const { image, bytes } = makeImage()
  await store.put(image, bytes)
  const path = join(folder, `${image.imageUUID}.image`)
  const whole = await readFile(path)
  for (const length of [whole.length - 1, whole.length - bytes.length, 20, 0]) {
    await truncate(path, length)
    t.equal(await store.read(image.imageUUID), undefined)
  }
  for (const text of ['no facts', '{}\n', 'null\n', `{"imageUUID":1}\n`, 'x'.repeat(10_000)]) {
    await writeFile(path, text)
    t.equal(await store.read(image.imageUUID), undefined)
  }
})

t.test('a sweep removes parts that a dead process left, and touches nothing else', async t => {
  const folder = t.testdir()
  const store = new DiskImageStore({ folder, now: () => Date.now() })
  await writeFile(join(folder, 'x.image-abc.part'), 'cut off')
  await writeFile(join(folder, 'notes.txt'), 'mine')
  await utimes(join(folder, 'notes.txt'), 0, 0)
  t.equal(await store.sweep(Date.now()), 0)
  t.strictSame((await readdir(folder)).sort(), ['notes.txt', 'x.image-abc.part'])
  t.equal(await store.sweep(Date.now() + 2 * 3_600_000), 0)
  t.strictSame(await readdir(folder), ['notes.txt'])
})

t.test('a folder that cannot be made or written is an error at the start', async t => {
  const folder = t.testdir({ file: 'not a folder' })
  await t.rejects(new DiskImageStore({ folder: join(folder, 'file'), now: Date.now }).start(), StorageError)
  await t.rejects(new DiskImageStore({ folder: join(folder, 'file', 'below'), now: Date.now }).start(), StorageError)
  if (process.getuid?.() === 0) return // root may write anywhere
  await mkdir(join(folder, 'closed'))
  await chmod(join(folder, 'closed'), 0o500)
  await t.rejects(new DiskImageStore({ folder: join(folder, 'closed'), now: Date.now }).start(), StorageError)
})
