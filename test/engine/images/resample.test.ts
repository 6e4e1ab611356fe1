import { join } from 'node:path'
import t from 'tap'
import { resample } from '../../../engine/images/resample.ts'
import type { ResampleKernel, Samples } from '../../../engine/images/resample.ts'
import { REFERENCE, readTensors } from '../architectures/reference-tensors.ts'

const tensors = readTensors(join(REFERENCE, 'images', 'resized.safetensors'))

function samples(name: string): Samples {
  const { dims: [height = 0, width = 0, channels = 0], data } = tensors[name]!
  return { width, height, channels, data: data as Uint8Array }
}

t.test('pictures are resized byte for byte as Pillow does it', async t => {
  let count = 0
  for (const name of Object.keys(tensors)) {
    const [picture = '', kernel, size] = name.split('.')
    if (size === undefined) continue
    const expected = samples(name)
    const actual = resample(samples(picture), expected.width, expected.height, kernel as ResampleKernel)
    t.same({ ...actual, data: Buffer.from(actual.data) }, { ...expected, data: Buffer.from(expected.data) }, name)
    count++
  }
  t.equal(count, 24)
})

t.test('a picture of the asked size is the picture itself', async t => {
  const picture = samples('0')
  t.equal(resample(picture, picture.width, picture.height, 'lanczos'), picture)
})
