import sharp, { type Metadata } from 'sharp'
import type { EncodedImage, RgbImage } from '../core/generation-request.ts'
import { ImageError } from './image-error.ts'
import { sniffFormat } from './sniff-format.ts'

/** How a picture is turned into pixels. */
export interface DecodeOptions {
  /** What shows through transparent pixels. */
  readonly background: 'white' | 'black'
  /** What the picture will be resized to: one that is more than twice as large along both sides is halved here, off the event loop. */
  readonly target?: { readonly width: number; readonly height: number }
}

// The library reads many formats, some through large parsers; only these three are let in.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] })

/** Most pixels along each side of a square picture; what is larger is refused by its header. */
const maxSide = 4096

/** A picture within the limits decodes in well under a second. */
const maxDecodeSeconds = 10

/**
 * Decodes a PNG, JPG or WEBP file: its first frame, turned as its EXIF orientation says, 8-bit RGB without metadata.
 * @throws ImageError when the file is of another kind, damaged, or too large.
 */
export async function decodeImage(bytes: EncodedImage, { background, target }: DecodeOptions): Promise<RgbImage> {
  if (sniffFormat(bytes) === undefined) throw new ImageError('the file is no PNG, JPG or WEBP picture')
  try {
    // The header alone is read, so a size that is too large costs nothing and is told.
    const metadata = await sharp(bytes, { limitInputPixels: false }).metadata()
    checkSize(metadata)
    const picture = sharp(bytes, { limitInputPixels: maxSide ** 2, failOn: 'error', pages: 1, ignoreIcc: true })
    const turned = picture.autoOrient().timeout({ seconds: maxDecodeSeconds }).flatten({ background }).toColourspace('srgb')
    const resized = isFarLarger(metadata, target)
      ? turned.resize({ width: 2 * target.width, height: 2 * target.height, fit: 'fill', kernel: 'lanczos3' })
      : turned
    const { data, info } = await resized.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data: toRgb(data, info.channels) }
  } catch (cause) {
    if (cause instanceof ImageError) throw cause
    throw new ImageError('the picture cannot be decoded: its file is damaged', { cause })
  }
}

function checkSize({ width, height }: Metadata): void {
  if (width * height <= maxSide ** 2) return
  throw new ImageError(`the picture may have at most ${maxSide}x${maxSide} pixels, it has ${width}x${height}`)
}

function isFarLarger({ autoOrient: { width, height } }: Metadata, target: DecodeOptions['target']): target is NonNullable<typeof target> {
  return target !== undefined && width > 2 * target.width && height > 2 * target.height
}

/** A grey picture comes with one channel. A Buffer's `slice` gives a view where others expect a copy, so none goes out. */
function toRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  const rgb = new Uint8Array((data.length / channels) * 3)
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) rgb.fill(data[from] as number, to, to + 3)
  return rgb
}
