import type { RgbImage } from '../core/generation-request.ts'

/** A rectangle of a picture, in whole pixels. */
export interface Region {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** From the first to one past the last place. */
type Span = readonly [start: number, end: number]

/**
 * The part of a picture around what a mask has repainted: its bounding box, a margin, and as much more as brings it to the
 * picture's own shape, moved inside where it would leave the picture. As diffusers' `get_crop_region` finds it.
 * Undefined when the mask is black all over.
 */
export function maskRegion(mask: RgbImage, margin: number): Region | undefined {
  const { width, height } = mask
  const box = boundingBox(mask)
  if (box === undefined) return undefined
  const [columns, rows] = [withMargin(box.columns, margin, width), withMargin(box.rows, margin, height)]
  const shape = width / height
  const isWide = lengthOf(columns) / lengthOf(rows) > shape
  const [left, right] = isWide ? columns : widened(columns, Math.trunc(lengthOf(rows) * shape - lengthOf(columns)), width)
  const [top, bottom] = isWide ? widened(rows, Math.trunc(lengthOf(columns) / shape - lengthOf(rows)), height) : rows
  return { left, top, width: right - left, height: bottom - top }
}

function boundingBox({ width, height, data }: RgbImage): { readonly columns: Span; readonly rows: Span } | undefined {
  let [left, right, top, bottom] = [width, 0, height, 0]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[(y * width + x) * 3] === 0) continue
      if (x < left) left = x
      if (x >= right) right = x + 1
      if (y < top) top = y
      bottom = y + 1
    }
  }
  return right === 0 ? undefined : { columns: [left, right], rows: [top, bottom] }
}

function withMargin([start, end]: Span, margin: number, size: number): Span {
  return [Math.max(start - margin, 0), Math.min(end + margin, size)]
}

/** Grows on both sides, then moves back inside. */
function widened([start, end]: Span, by: number, size: number): Span {
  const first = start - Math.floor(by / 2)
  const last = first + (end - start) + by
  const shift = last > size ? size - last : first < 0 ? -first : 0
  return [Math.max(first + shift, 0), Math.min(last + shift, size)]
}

function lengthOf([start, end]: Span): number {
  return end - start
}

/** The part of a picture inside a region. */
export function cropImage({ width, data }: RgbImage, region: Region): RgbImage {
  const cropped = new Uint8Array(region.width * region.height * 3)
  for (let y = 0; y < region.height; y++) {
    const from = ((region.top + y) * width + region.left) * 3
    cropped.set(data.subarray(from, from + region.width * 3), y * region.width * 3)
  }
  return { width: region.width, height: region.height, data: cropped }
}
