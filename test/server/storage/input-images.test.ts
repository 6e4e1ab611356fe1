import t from 'tap'
import { decodeBase64 } from '../../../server/storage/decode-base64.ts'
import { InputImages } from '../../../server/storage/input-images.ts'
import type { InputImageLimits } from '../../../server/storage/input-images.ts'
import { MemoryImageStore } from '../helpers/memory-image-store.ts'
import { onePixelPng } from '../helpers/fake-worker.ts'

let now = 1_000
function setUp(limits: Partial<InputImageLimits> = {}) {
  const store = new MemoryImageStore(() => now)
  const all: InputImageLimits = { maxImageBytes: 100_000, maxBytesPerAccount: 1_000_000, inlineTtlSeconds: 60, uploadTtlSeconds: 600, ...limits }
  return { store, inputs: new InputImages({ store, secret: Buffer.from('secret'), limits: all, now: () => now }) }
}

/** A PNG by its signature, of any size and content. */
function png(size: number, fill = 1): string {
  return Buffer.concat([onePixelPng.subarray(0, 8), Buffer.alloc(size - 8, fill)]).toString('base64')
}

t.test('base64 is decoded whatever its length, in slices too', async t => {
  for (const length of [1, 2, 3, 4, 5, 98_303, 98_304, 98_305, 300_001]) {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255))
    for (const text of [bytes.toString('base64'), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]) {
      const parts: Uint8Array[] = []
      const decoded = await decodeBase64(`head,${text}`, 5, part => parts.push(Buffer.from(part)))
      t.ok(decoded && bytes.equals(decoded), `${length} bytes`)
      t.ok(bytes.equals(Buffer.concat(parts)), `${length} bytes in parts`)
    }
  }
})

t.test('what is no base64 is refused, wherever the fault lies', async t => {
  const long = png(200_000)
  const texts = ['', '=', '==', 'A', 'AAAAA', 'AA AA', 'AAA\n', 'AA=AAAA', 'A=======', 'AAAA====', '****', 'data:,AAAA', `${long.slice(0, 150_000)}!${long.slice(150_001)}`, `${long} `]
  for (const text of texts) t.equal(await decodeBase64(text, 0, () => undefined), undefined, JSON.stringify(text.slice(0, 20)))
})

t.test('the event loop turns while a large text is decoded', async t => {
  let turns = 0
  const count = () => {
    turns++
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  await decodeBase64('A'.repeat(4_000_000), 0, () => undefined)
  clearImmediate(timer)
  t.ok(turns >= 20, `${turns} turns`)
})

t.test('the same file inside tasks of an account is kept once; another account has its own', async t => {
  const { inputs, store } = setUp()
  const [first, again, other, changed] = [
    await inputs.keepInline('a', png(100), 0), await inputs.keepInline('a', `x,${png(100)}`, 2),
    await inputs.keepInline('b', png(100), 0), await inputs.keepInline('a', png(100, 2), 0),
  ]
  t.equal(first.imageUUID, again.imageUUID)
  t.equal(new Set([first, other, changed].map(({ imageUUID }) => imageUUID)).size, 3)
  t.match((await store.read(first.imageUUID))?.image, { account: 'a', format: 'PNG', byteLength: 100, expiresAt: now + 60_000 })
})

t.test('uploads have UUIDs of their own and live as long as they should', async t => {
  const { inputs } = setUp()
  const [first, second] = [await inputs.keepUpload('a', png(100), 0), await inputs.keepUpload('a', png(100), 0, 90)]
  t.not(first.imageUUID, second.imageUUID)
  t.equal(first.expiresAt, now + 600_000)
  t.equal(second.expiresAt, now + 90_000)
})

t.test('only pictures within the size limit are kept', async t => {
  const { inputs } = setUp({ maxImageBytes: 1000 })
  await t.resolves(inputs.keepInline('a', png(1000), 0))
  await t.rejects(inputs.keepInline('a', png(1001), 0), { fault: 'invalid', message: /at most 1000 bytes/ })
  await t.rejects(inputs.keepFile('a', Buffer.alloc(1001)), { fault: 'invalid', message: /at most 1000 bytes/ })
  await t.rejects(inputs.keepInline('a', 'A'.repeat(10_000_000), 0), { fault: 'invalid', message: /at most 1000 bytes/ })
  for (const text of [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), Buffer.from('GIF89a.....'), Buffer.from('%PDF-1.7')]) {
    await t.rejects(inputs.keepInline('a', text.toString('base64'), 0), { fault: 'invalid', message: /no PNG, JPG or WEBP/ })
  }
  await t.rejects(inputs.keepInline('a', 'not base64 at all', 0), { fault: 'invalid', message: /base64/ })
})

t.test('an account may keep no more than its share until some of it has expired; others are not affected', async t => {
  const { inputs } = setUp({ maxBytesPerAccount: 20_000 })
  await inputs.keepInline('a', png(10_000, 1), 0)
  await inputs.keepInline('a', png(10_000, 2), 0)
  await inputs.keepInline('a', png(10_000, 2), 0)
  await t.rejects(inputs.keepInline('a', png(100, 3), 0), { name: 'InputImageError', fault: 'full' })
  await inputs.keepInline('b', png(10_000, 1), 0)
  now += 61_000
  inputs.sweep(now)
  await t.resolves(inputs.keepInline('a', png(100, 3), 0))
})

t.test('a store that fails costs the account nothing', async t => {
  let isBroken = true
  const { store } = setUp()
  const inputs = new InputImages({
    store: { put: async (image, bytes) => { if (isBroken) throw new Error('no space'); await store.put(image, bytes) } },
    secret: Buffer.from('secret'), now: () => now, limits: { maxImageBytes: 100_000, maxBytesPerAccount: 10_000, inlineTtlSeconds: 60, uploadTtlSeconds: 60 },
  })
  for (let i = 0; i < 3; i++) await t.rejects(inputs.keepInline('a', png(9000, i), 0), { name: 'InputImageError', fault: 'unreachable' })
  isBroken = false
  await t.resolves(inputs.keepInline('a', png(9000, 9), 0))
})
