import type { RgbImage } from '../core/generation-request.ts'

/** A picture's brightness in all three channels, byte for byte as Pillow's `convert('L')` gives it (ITU-R 601-2). */
export function greyMask({ width, height, data }: RgbImage): RgbImage {
  const grey = new Uint8Array(data.length)
  for (let i = 0; i < data.length; i += 3) {
    const [red, green, blue] = [data[i] as number, data[i + 1] as number, data[i + 2] as number]
    grey.fill((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16, i, i + 3)
  }
  return { width, height, data: grey }
}
