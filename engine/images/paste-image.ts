import type { RgbImage } from '../core/generation-request.ts'
import type { Region } from './mask-region.ts'

/** Grey levels this close to black or white are taken for it: what resizing and compression leave around an edge. */
const tolerance = 7

/**
 * A picture with another one over a region of it, as opaque as the mask is white. Under black every byte stays as it was.
 * @param mask of the whole picture's size, grey
 */
export function pasteImage(picture: RgbImage, over: RgbImage, mask: RgbImage, region: Region): RgbImage {
  const { width, height } = picture
  const data = Uint8Array.from(picture.data)
  for (let y = 0; y < region.height; y++) {
    for (let x = 0; x < region.width; x++) {
      const at = ((region.top + y) * width + region.left + x) * 3
      const share = shareOf(mask.data[at] as number)
      if (share === 0) continue
      const from = (y * region.width + x) * 3
      for (let c = 0; c < 3; c++) {
        data[at + c] = Math.floor((data[at + c] as number) * (1 - share) + (over.data[from + c] as number) * share + 0.5)
      }
    }
  }
  return { width, height, data }
}

function shareOf(value: number): number {
  if (value <= tolerance) return 0
  return value >= 255 - tolerance ? 1 : value / 255
}
