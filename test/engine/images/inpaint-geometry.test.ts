import t from 'tap'
import type { Outpainting, RgbImage } from '../../../engine/core/generation-request.ts'
import { greyMask } from '../../../engine/images/grey-mask.ts'
import { cropImage, maskRegion } from '../../../engine/images/mask-region.ts'
import { outpaintCanvas } from '../../../engine/images/outpaint-canvas.ts'
import { pasteImage } from '../../../engine/images/paste-image.ts'

function picture(width: number, height: number, value: (x: number, y: number) => number): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.fill(value(x, y), (y * width + x) * 3, (y * width + x + 1) * 3)
  return { width, height, data }
}

/** White in a rectangle, end excluded. */
const maskOf = (width: number, height: number, left: number, top: number, right: number, bottom: number): RgbImage =>
  picture(width, height, (x, y) => (x >= left && x < right && y >= top && y < bottom ? 255 : 0))

const at = ({ width, data }: RgbImage, x: number, y: number): number => data[(y * width + x) * 3] as number

t.test('brightness is that of Pillow', async (t) => {
  // Image.new('RGB', (1, 1), color).convert('L') of Pillow 13.
  for (const [color, grey] of [[[255, 0, 0], 76], [[0, 255, 0], 150], [[0, 0, 255], 29], [[200, 100, 50], 124], [[255, 255, 255], 255]] as const) {
    t.equal(greyMask({ width: 1, height: 1, data: Uint8Array.from(color) }).data[0], grey)
  }
})

t.test('the region around a mask has its margin, the shape of the picture, and stays inside', async (t) => {
  // What VaeImageProcessor.get_crop_region of diffusers 0.42.1 gives: left, top, right, bottom.
  const cases = [
    [[512, 512], [200, 200, 300, 300], 32, [168, 168, 332, 332]],
    [[512, 512], [200, 200, 300, 250], 32, [168, 143, 332, 307]],
    [[512, 512], [200, 200, 250, 300], 32, [143, 168, 307, 332]],
    [[512, 512], [0, 0, 100, 50], 32, [0, 0, 132, 132]],
    [[512, 512], [500, 100, 512, 400], 64, [84, 36, 512, 464]],
    [[512, 256], [10, 10, 20, 20], 32, [0, 0, 104, 52]],
    [[256, 512], [200, 10, 240, 20], 50, [150, 0, 256, 212]],
    [[128, 128], [0, 0, 128, 128], 128, [0, 0, 128, 128]],
    [[512, 512], [511, 511, 512, 512], 32, [479, 479, 512, 512]],
  ] as const
  for (const [[width, height], [left, top, right, bottom], margin, expected] of cases) {
    const region = maskRegion(maskOf(width, height, left, top, right, bottom), margin)
    t.same(region && [region.left, region.top, region.left + region.width, region.top + region.height], expected, `${left} ${top} ${right} ${bottom} in ${width}x${height}`)
  }
  t.equal(maskRegion(maskOf(64, 64, 0, 0, 0, 0), 32), undefined, 'a black mask has none')
})

t.test('a crop is the part of the picture', async (t) => {
  const cropped = cropImage(picture(8, 6, (x, y) => 10 * y + x), { left: 3, top: 2, width: 4, height: 3 })
  t.same([cropped.width, cropped.height, at(cropped, 0, 0), at(cropped, 3, 2)], [4, 3, 23, 46])
})

t.test('under black every byte stays, under white the other picture lies, under grey both are mixed', async (t) => {
  const below = picture(6, 4, () => 100)
  const mask = picture(6, 4, (x) => [0, 7, 51, 204, 248, 255][x] as number)
  const pasted = pasteImage(below, picture(6, 4, () => 200), mask, { left: 0, top: 0, width: 6, height: 4 })
  t.same([0, 1, 2, 3, 4, 5].map((x) => at(pasted, x, 1)), [100, 100, 120, 180, 200, 200])
  t.equal(at(below, 5, 1), 100, 'the picture below is another object')
  const region = pasteImage(below, picture(2, 2, () => 200), picture(6, 4, () => 255), { left: 3, top: 1, width: 2, height: 2 })
  t.same([at(region, 2, 1), at(region, 3, 1), at(region, 4, 2), at(region, 5, 2), at(region, 3, 3)], [100, 200, 200, 100, 100])
})

t.test('a canvas has the picture in its place, its edges around it, and white in the mask where it is to be painted', async (t) => {
  const sides: Outpainting = { top: 0, right: 64, bottom: 64, left: 128, blur: 0 }
  const { canvas, mask } = outpaintCanvas(picture(64, 64, (x, y) => x + y), sides)
  t.same([canvas.width, canvas.height, mask.width, mask.height], [256, 128, 256, 128])
  t.same([at(canvas, 128, 0), at(canvas, 191, 63), at(canvas, 0, 10), at(canvas, 255, 10), at(canvas, 150, 127)], [0, 126, 10, 73, 85])
  t.same([at(mask, 127, 0), at(mask, 128, 0), at(mask, 191, 0), at(mask, 192, 0), at(mask, 150, 63), at(mask, 150, 64)], [255, 0, 0, 255, 0, 255])
})

t.test('blur fades the mask inside the picture, at extended sides alone', async (t) => {
  const { mask } = outpaintCanvas(picture(64, 64, () => 9), { top: 0, right: 64, bottom: 0, left: 0, blur: 8 })
  t.same([56, 55, 63, 64].map((x) => at(mask, x, 30)), [16, 0, 239, 255])
  t.same([at(mask, 0, 0), at(mask, 30, 0), at(mask, 30, 63)], [0, 0, 0])
  const columns = Array.from({ length: 9 }, (_, i) => at(mask, 55 + i, 30))
  t.same(columns, [...columns].sort((a, b) => a - b), 'whiter towards the seam')
})
