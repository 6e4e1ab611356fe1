import { deflateSync, crc32 } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { decodeImage } from '../../../engine/images/decode-image.ts'

const white = { background: 'white' } as const

/** Two rows of three pixels, all different. */
const pixels = Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 200, 100, 50, 255, 255, 255])
const picture = sharp(pixels, { raw: { width: 3, height: 2, channels: 3 } })
const png = await picture.clone().png().toBuffer()

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/** A PNG of any size whose rows are all zero. */
function blackPng(width: number, height: number, rows = height): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const data = deflateSync(Buffer.alloc((width * 3 + 1) * rows))
  return Buffer.concat([png.subarray(0, 8), chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

await t.test('a PNG gives its pixels, and every format gives a picture', async (t) => {
  t.same(await decodeImage(png, white), { width: 3, height: 2, data: pixels })
  for (const file of [await picture.clone().jpeg().toBuffer(), await picture.clone().webp().toBuffer()]) {
    const { width, height, data } = await decodeImage(file, white)
    t.same({ width, height, bytes: data.length }, { width: 3, height: 2, bytes: 18 })
  }
})

await t.test('other kinds of pixels become 8-bit RGB', async (t) => {
  const grey = await sharp(Uint8Array.from([0, 100, 255]), { raw: { width: 3, height: 1, channels: 1 } }).png().toBuffer()
  t.same((await decodeImage(grey, white)).data, Uint8Array.from([0, 0, 0, 100, 100, 100, 255, 255, 255]))
  const deep = await sharp(Uint16Array.from([0, 0x8080, 0xffff]), { raw: { width: 1, height: 1, channels: 3 } }).toColourspace('rgb16').png().toBuffer()
  t.equal((await sharp(deep).metadata()).depth, 'ushort')
  t.same((await decodeImage(deep, white)).data, Uint8Array.from([0, 128, 255]))
  const cmyk = await picture.clone().toColourspace('cmyk').jpeg().toBuffer()
  t.equal((await sharp(cmyk).metadata()).channels, 4)
  t.equal((await decodeImage(cmyk, white)).data.length, 18)
  const palette = await picture.clone().png({ palette: true }).toBuffer()
  t.equal((await decodeImage(palette, white)).data.length, 18)
})

await t.test('the background shows through transparent pixels', async (t) => {
  const half = await sharp(Uint8Array.from([255, 0, 0, 0, 0, 0, 0, 255]), { raw: { width: 2, height: 1, channels: 4 } }).png().toBuffer()
  t.same((await decodeImage(half, white)).data, Uint8Array.from([255, 255, 255, 0, 0, 0]))
  t.same((await decodeImage(half, { background: 'black' })).data, Uint8Array.from([0, 0, 0, 0, 0, 0]))
  const greyAlpha = await sharp(Uint8Array.from([9, 0, 50, 255]), { raw: { width: 2, height: 1, channels: 2 } }).png().toBuffer()
  t.same((await decodeImage(greyAlpha, white)).data, Uint8Array.from([255, 255, 255, 50, 50, 50]))
})

await t.test('the EXIF orientation is applied', async (t) => {
  const turned = await picture.clone().withMetadata({ orientation: 6 }).png().toBuffer()
  const { width, height, data } = await decodeImage(turned, white)
  t.same({ width, height }, { width: 2, height: 3 })
  t.same(data.subarray(0, 6), Uint8Array.from([10, 20, 30, 255, 0, 0]), 'the lower left corner is the upper left one now')
})

await t.test('a picture far larger than wanted is brought to twice that size, another keeps its own', async (t) => {
  const black = blackPng(300, 500)
  for (const [wanted, expected] of [[[64, 64], [128, 128]], [[149, 249], [298, 498]], [[150, 64], [300, 500]], [[512, 512], [300, 500]]] as const) {
    const { width, height, data } = await decodeImage(black, { ...white, target: { width: wanted[0], height: wanted[1] } })
    t.same([width, height], expected)
    t.equal(data.length, width * height * 3)
  }
})

await t.test('too many pixels are refused by the header, before anything is decoded', async (t) => {
  t.match(await decodeImage(blackPng(4096, 4096), white), { width: 4096, height: 4096 })
  const start = performance.now()
  for (const [width, height] of [[16_000, 16_000], [60_000, 60_000], [4097, 4096], [1, 100_000_000]] as const) {
    await t.rejects(decodeImage(blackPng(width, height, 1), white), { name: 'ImageError', message: `the picture may have at most 4096x4096 pixels, it has ${width}x${height}` })
  }
  t.ok(performance.now() - start < 2000)
  await t.resolves(decodeImage(blackPng(1, 60_000), white), 'a long thin one is fine')
})

await t.test('only PNG, JPG and WEBP are let in, whatever a file calls itself', async (t) => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
  const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
  const others = [Buffer.from(svg), gif, Buffer.from('%PDF-1.7'), Buffer.from(''), Buffer.from([0x89]), await picture.clone().tiff().toBuffer(), await picture.clone().avif().toBuffer()]
  for (const file of others) await t.rejects(decodeImage(file, white), { name: 'ImageError', message: /no PNG, JPG or WEBP/ })
  await t.rejects(decodeImage(Buffer.concat([png.subarray(0, 8), Buffer.from(svg)]), white), { name: 'ImageError', message: /damaged/ })
})

await t.test('an animation gives its first frame', async (t) => {
  const frames = Array.from({ length: 50 }, (_, i) => sharp({ create: { width: 8, height: 8, channels: 3, background: { r: i, g: 0, b: 0 } } }).png().toBuffer())
  const animation = await sharp(await Promise.all(frames), { join: { animated: true } }).webp({ lossless: true }).toBuffer()
  t.equal((await sharp(animation).metadata()).pages, 50)
  const { width, height, data } = await decodeImage(animation, white)
  t.same({ width, height, first: data[0] }, { width: 8, height: 8, first: 0 })
})

await t.test('a damaged file is an error and never a crash', async (t) => {
  const noise = Buffer.from(Array.from({ length: 48 * 48 * 3 }, (_, i) => (i * 7919) % 251))
  const large = sharp(noise, { raw: { width: 48, height: 48, channels: 3 } })
  for (const file of [await large.clone().png().toBuffer(), await large.clone().jpeg().toBuffer(), await large.clone().webp().toBuffer()]) {
    await t.rejects(decodeImage(file.subarray(0, file.length / 2), white), { name: 'ImageError' }, 'half a file')
    let refused = 0
    for (let i = 0; i < 60; i++) {
      const broken = Buffer.from(file)
      const at = (i * 977) % file.length
      broken[at] = (broken[at] as number) ^ (1 << (i % 8))
      await decodeImage(broken, white).catch((error: unknown) => {
        t.match(error, { name: 'ImageError', message: String })
        refused++
      })
    }
    t.ok(refused > 0, 'some of the flipped bits were noticed')
  }
})
