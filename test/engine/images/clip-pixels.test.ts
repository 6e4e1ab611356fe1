import { join } from 'node:path'
import t from 'tap'
import { clipPixels } from '../../../engine/images/clip-pixels.ts'
import { clipImageSettings } from '../../../engine/models/clip-image-settings.ts'
import type { ClipImageSettings } from '../../../engine/models/loaded-model.ts'
import { REFERENCE, readTensors } from '../architectures/reference-tensors.ts'

const tensors = readTensors(join(REFERENCE, 'images', 'clip-pixels.safetensors'))
// What tools/reference/resizing.py tells the processor.
const SETTINGS: readonly ClipImageSettings[] = [
  clipImageSettings(32),
  clipImageSettings(32),
  clipImageSettings(28),
  { ...clipImageSettings(32), resize: { shortestEdge: 24 } },
  {
    resize: { width: 28, height: 20 }, kernel: 'lanczos', crop: { width: 28, height: 28 }, scale: 1 / 255,
    normalize: { mean: [0.5, 0.4, 0.3], deviation: [0.25, 0.5, 0.75] },
  },
  { kernel: 'bicubic', crop: { width: 8, height: 8 } },
]

for (const [number, settings] of SETTINGS.entries()) {
  t.test(`picture ${number} becomes the numbers that CLIPImageProcessor gives`, async t => {
    const { dims: [height = 0, width = 0], data } = tensors[`${number}.picture`]!
    const expected = tensors[`${number}.pixels`]!
    const actual = clipPixels({ width, height, data: data as Uint8Array }, settings)
    t.equal(actual.length, expected.data.length)
    t.same(Buffer.from(actual.buffer), Buffer.from((expected.data as Float32Array).buffer))
  })
}
