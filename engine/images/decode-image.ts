import sharp, { type Metadata } from 'sharp'
import type { EncodedImage, RgbImage } from '../core/generation-request.ts'
import { ImageError } from './image-error.ts'
import { sniffFormat } from './sniff-format.ts'

/** How a picture is turned into pixels. */
export interface DecodeOptions {
  /** What shows through transparent pixels. */
  readonly background: 'white' | 'black'
  /** Size of the result, stretched to it; the picture's own where absent. */
  readonly size?: { readonly width: number; readonly height: number }
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
export async function decodeImage(bytes: EncodedImage, { background, size }: DecodeOptions): Promise<RgbImage> {
  if (sniffFormat(bytes) === undefined) throw new ImageError('the file is no PNG, JPG or WEBP picture')
  try {
    // The header alone is read, so a size that is too large costs nothing and is told.
    checkSize(await sharp(bytes, { limitInputPixels: false }).metadata())
    const picture = sharp(bytes, { limitInputPixels: maxSide ** 2, failOn: 'error', pages: 1, ignoreIcc: true })
    const turned = picture.autoOrient().timeout({ seconds: maxDecodeSeconds }).flatten({ background }).toColourspace('srgb')
    const resized = size === undefined ? turned : turned.resize({ ...size, fit: 'fill', kernel: 'lanczos3' })
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

/** A grey picture comes with one channel. */
function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data
  const rgb = new Uint8Array((data.length / channels) * 3)
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) rgb.fill(data[from] as number, to, to + 3)
  return rgb
}
