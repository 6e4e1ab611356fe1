import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { ImageReference } from '../../../server/queue/task-record.ts'
import { readImages } from '../../../server/worker/read-images.ts'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { MemoryImageStore } from '../helpers/memory-image-store.ts'
import { makeTask } from '../queue/task-fixture.ts'

const never = new AbortController().signal
let now = 0
const store = new MemoryImageStore(() => now)
const imageUUID = randomUUID()
await store.put({ imageUUID, account: 'a', format: 'PNG', byteLength: onePixelPng.length, expiresAt: 1000 }, onePixelPng)

function read(initImage: ImageReference, { account = 'a', fetchImage = async () => Buffer.from('fetched') } = {}) {
  const task = makeTask({ account })
  return readImages({ ...task, request: { ...task.request, initImage } }, { store, fetchImage }, never)
}

t.test('a stored picture of the same account and a fetched one become files', async t => {
  t.same((await read({ type: 'stored', imageUUID })).initImage, onePixelPng)
  t.same((await read({ type: 'url', url: 'https://x/y.png' })).initImage, Buffer.from('fetched'))
  t.notOk('initImage' in await readImages(makeTask(), { store, fetchImage: async () => Buffer.from('') }, never))
})

t.test('a picture of another account, an unknown and an expired one give the same error, which names the field', async t => {
  const gone = { name: 'InputImageError', fault: 'notFound', parameter: 'initImage' }
  await t.rejects(read({ type: 'stored', imageUUID }, { account: 'b' }), gone)
  await t.rejects(read({ type: 'stored', imageUUID: randomUUID() }), gone)
  now = 1001
  await t.rejects(read({ type: 'stored', imageUUID }), gone)
})

t.test('a store that cannot be read is told from a picture that is gone', async t => {
  const task = makeTask()
  const broken = { read: async () => { throw new Error('EIO /secret/path') } }
  const request = { ...task.request, initImage: { type: 'stored', imageUUID } as const }
  await t.rejects(readImages({ ...task, request }, { store: broken, fetchImage: async () => Buffer.from('') }, never), { fault: 'unreachable', message: /cannot be read at the moment/ })
})
