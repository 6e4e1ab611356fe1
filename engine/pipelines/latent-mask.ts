import type { RgbImage } from '../core/generation-request.ts'

/** Grey levels from which on a pixel is repainted: half of white, as the reference rounds. */
const threshold = 128

/** Whether a mask has a pixel repainted. A mask is grey, so that its first channel says all. */
export function isRepainted(mask: RgbImage, pixel: number): boolean {
  return (mask.data[pixel * 3] as number) >= threshold
}

/** A mask on latent cells, 1 where the picture is repainted: that of each cell's first pixel, as the reference takes it. */
export function latentMask(mask: RgbImage | undefined, width: number, height: number, factor: number): Float32Array {
  const cells = new Float32Array(width * height)
  if (mask === undefined) return cells.fill(1)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) cells[y * width + x] = isRepainted(mask, y * factor * mask.width + x * factor) ? 1 : 0
  }
  return cells
}
