import sharp from 'sharp'
import t from 'tap'
import type { GenerationRequest } from '../../engine/core/generation-request.ts'
import { createImageFitter } from '../../engine/fit-images.ts'
import { request } from './core/fake-model.ts'

/** A grey picture of one brightness, lighter in a square of 16 at (24, 24). */
function picture(width: number, height: number, value: number, square = value): Promise<Buffer> {
  const data = Buffer.from(Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)]
    return x >= 24 && x < 40 && y >= 24 && y < 40 ? square : value
  }))
  return sharp(data, { raw: { width, height, channels: 1 } }).png().toBuffer()
}

const fit = createImageFitter()
const seed = await picture(64, 64, 10, 200)
const mask = await picture(64, 64, 0, 255)

function asked(fields: Partial<GenerationRequest>): GenerationRequest {
  return request<Uint8Array>('r', { width: 64, height: 64, initImage: seed, strength: 1, ...fields })
}

t.test('the results of a task share what is made of their pictures', async t => {
  for (const fields of [{}, { mask }, { mask, maskMargin: 8 }]) {
    const [first, second] = [await fit(asked(fields)), await fit(asked({ ...fields, seed: 9 }))]
    t.equal(first.request.initImage, second.request.initImage)
    t.equal(first.request.mask, second.request.mask)
  }
})

t.test('zooming takes a ControlNet\'s guide image along, which shows the same scene, and leaves what an IP-Adapter looks at', async t => {
  const { request } = await fit(asked({
    mask, maskMargin: 8,
    controlNets: [{ model: 'c', guideImage: seed, weight: 1, start: 0, end: 1, controlMode: 'balanced' }],
    ipAdapters: [{ model: 'i', guideImage: await picture(48, 20, 77), weight: 1 }],
  }))
  // The part around the mask is 32 pixels wide, so that the square lies from 16 to 48 of what is computed.
  const at = (place: number) => (place * 64 + place) * 3
  for (const image of [request.initImage, request.controlNets?.[0]?.guideImage]) {
    t.same([image?.width, image?.height, image?.data[at(32)], image?.data[at(8)]], [64, 64, 200, 10])
    t.ok((image?.data[at(19)] ?? 0) > 150 && (image?.data[at(12)] ?? 255) < 60, 'the square fills the middle half')
  }
  const guide = request.ipAdapters?.[0]?.guideImage
  t.same([guide?.width, guide?.height, guide?.data[0]], [48, 20, 77])
})

t.test('a mask that is black all over leaves nothing to zoom into, and the picture comes back', async t => {
  const fitted = await fit(asked({ mask: await picture(64, 64, 0), maskMargin: 8 }))
  const { data } = fitted.finish({ width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(99) })
  t.same(data, fitted.request.initImage?.data)
})

t.test('a picture that cannot be used is named by its field', async t => {
  const broken = seed.subarray(0, 40)
  for (const [fields, parameter] of [
    [{ initImage: broken }, 'initImage'], [{ mask: broken }, 'mask'],
    [{ outpainting: { top: 0, right: 64, bottom: 0, left: 0, blur: 0 } }, 'width'],
    [{ width: 128, outpainting: { top: 64, right: 64, bottom: 0, left: 0, blur: 0 } }, 'height'],
  ] as const) {
    await t.rejects(fit(asked(fields)), { name: 'EngineError', code: 'invalidParameter', parameter, message: new RegExp(`^${parameter}: `) })
  }
})
