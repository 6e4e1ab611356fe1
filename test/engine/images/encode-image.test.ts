import t from 'tap'
import sharp from 'sharp'
import { encodeImage } from '../../../engine/images/encode-image.ts'
import type { RgbImage } from '../../../engine/core/generation-request.ts'

/** Red runs with x, green with y; blue is a constant. */
function gradient(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([Math.round((255 * x) / width), Math.round((255 * y) / height), 100], (y * width + x) * 3)
  }
  return { width, height, data }
}

await t.test('PNG gives back every byte', async (t) => {
  const image = gradient(64, 128)
  const decoded = await sharp(await encodeImage(image, 'PNG', 1)).raw().toBuffer({ resolveWithObject: true })
  t.match(decoded.info, { width: 64, height: 128, channels: 3 })
  t.same(new Uint8Array(decoded.data), image.data)
})

await t.test('JPG and WEBP are what they say, close to the picture and without metadata', async (t) => {
  const image = gradient(128, 64)
  for (const [format, name] of [['JPG', 'jpeg'], ['WEBP', 'webp']] as const) {
    const bytes = await encodeImage(image, format, 95)
    const { format: found, width, height, exif, icc, xmp, iptc, density } = await sharp(bytes).metadata()
    t.same({ found, width, height }, { found: name, width: 128, height: 64 })
    t.same([exif, icc, xmp, iptc], [undefined, undefined, undefined, undefined], `no metadata in ${format}`)
    t.notOk(density !== undefined && density !== 72, 'no density of our own')
    const decoded = await sharp(bytes).raw().toBuffer()
    const difference = decoded.reduce((sum, value, i) => sum + Math.abs(value - (image.data[i] as number)), 0) / decoded.length
    t.ok(difference < 3, `mean difference of ${difference}`)
  }
})

await t.test('a lower quality gives fewer bytes', async (t) => {
  const image = gradient(256, 256)
  for (const format of ['JPG', 'WEBP'] as const) {
    const [low, high] = [await encodeImage(image, format, 20), await encodeImage(image, format, 99)]
    t.ok(low.length < high.length, `${format}: ${low.length} < ${high.length}`)
  }
})

await t.test('a quality out of range and bytes that do not fit the size are refused by name', async (t) => {
  const image = gradient(64, 64)
  for (const quality of [0, 101, NaN]) await t.rejects(encodeImage(image, 'JPG', quality), { name: 'RangeError', message: /^quality: / })
  await t.rejects(encodeImage({ ...image, width: 32 }, 'PNG', 90), { name: 'RangeError', message: /^data: expected 6144 bytes/ })
})
