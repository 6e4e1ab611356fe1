import type { ImageFormat } from './image-format.ts'

const pngSignature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const jpegStart = [0xff, 0xd8, 0xff]
const riff = [0x52, 0x49, 0x46, 0x46]
const webp = [0x57, 0x45, 0x42, 0x50]

/** The format that a file's first bytes say it has; undefined for anything that pictures are not read from. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (hasAt(bytes, 0, pngSignature)) return 'PNG'
  if (hasAt(bytes, 0, jpegStart)) return 'JPG'
  return hasAt(bytes, 0, riff) && hasAt(bytes, 8, webp) ? 'WEBP' : undefined
}

function hasAt(bytes: Uint8Array, offset: number, mark: readonly number[]): boolean {
  return mark.every((byte, i) => bytes[offset + i] === byte)
}
