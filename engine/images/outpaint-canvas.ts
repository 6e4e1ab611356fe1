import type { Outpainting, RgbImage } from '../core/generation-request.ts'

/** A picture with room around it, and the mask of what is to be painted there. */
export interface OutpaintCanvas {
  readonly canvas: RgbImage
  readonly mask: RgbImage
}

/**
 * Lays a picture on a larger canvas. Around it its edge pixels go on, so that the denoising starts from its colours; the mask
 * is white there, and fades to black over `blur` pixels inside the picture.
 */
export function outpaintCanvas(image: RgbImage, outpainting: Outpainting): OutpaintCanvas {
  const { top, right, bottom, left } = outpainting
  const [width, height] = [left + image.width + right, top + image.height + bottom]
  const [canvas, mask] = [new Uint8Array(width * height * 3), new Uint8Array(width * height * 3)]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3
      const [column, row] = [clamp(x - left, image.width), clamp(y - top, image.height)]
      const from = (row * image.width + column) * 3
      for (let c = 0; c < 3; c++) canvas[at + c] = image.data[from + c] as number
      mask.fill(whiteness(x - left, y - top, image, outpainting), at, at + 3)
    }
  }
  return { canvas: { width, height, data: canvas }, mask: { width, height, data: mask } }
}

/** White outside the picture; inside it the nearer to a side that is extended, the whiter. */
function whiteness(x: number, y: number, { width, height }: RgbImage, { top, right, bottom, left, blur }: Outpainting): number {
  const sides = [[left, x], [right, width - 1 - x], [top, y], [bottom, height - 1 - y]] as const
  let white = 0
  for (const [extension, distance] of sides) {
    if (extension === 0) continue
    const share = distance < 0 ? 1 : blur === 0 ? 0 : Math.max(0, 1 - (distance + 0.5) / blur)
    white = Math.max(white, share)
  }
  return Math.round(255 * white)
}

function clamp(place: number, size: number): number {
  return Math.min(Math.max(place, 0), size - 1)
}
