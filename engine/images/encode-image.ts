import sharp, { type Sharp } from 'sharp'
import type { ImageFormat } from './image-format.ts'
import type { RgbImage } from '../core/generation-request.ts'

// One picture is small and encodes within milliseconds; the cores belong to the networks.
sharp.concurrency(1)
sharp.cache(false)

/** From this quality on colour keeps its full resolution: below it, halving it is hard to see and saves a fifth of the bytes. */
const fullChromaQuality = 90

/**
 * Encodes a picture without metadata.
 * @param quality 1 to 100; PNG is lossless and takes no notice of it.
 * @throws RangeError when the quality is out of range or the picture's bytes do not match its size.
 */
export async function encodeImage(image: RgbImage, format: ImageFormat, quality: number): Promise<Uint8Array> {
  if (!(quality >= 1 && quality <= 100)) throw new RangeError(`quality: expected a number from 1 to 100, got ${quality}`)
  const { width, height, data } = image
  if (data.length !== width * height * 3) {
    throw new RangeError(`data: expected ${width * height * 3} bytes for ${width}x${height} RGB, got ${data.length}`)
  }
  const picture = sharp(data, { raw: { width, height, channels: 3 } })
  return encoders[format](picture, Math.round(quality)).toBuffer()
}

const encoders = {
  JPG: (picture, quality) => picture.jpeg({ quality, chromaSubsampling: quality >= fullChromaQuality ? '4:4:4' : '4:2:0' }),
  PNG: (picture) => picture.png({ compressionLevel: 6 }),
  WEBP: (picture, quality) => picture.webp({ quality, smartSubsample: quality >= fullChromaQuality }),
} satisfies Record<ImageFormat, (picture: Sharp, quality: number) => Sharp>
