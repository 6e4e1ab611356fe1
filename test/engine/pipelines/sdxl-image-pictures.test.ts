import t from 'tap'
import type { Test } from 'tap'
import type { RgbImage } from '../../../engine/core/generation-request.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const pictures = await referencePictures('sdxl-image-pictures')
const never = new AbortController().signal

function sameAsReference(t: Test, picture: ReferencePicture, image: RgbImage): void {
  const { shareWithinOne, largest } = compare(image, picture.image)
  const { model, mask, refiner } = picture.request
  const kind = `${model}${mask ? ', inpainting' : ''}${refiner ? ', refined' : ''}`
  t.ok(shareWithinOne >= shareOfPixels, `${kind}; ${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
}

await t.test('SDXL makes of a picture what diffusers makes of it, with a refiner and within a mask, alone', async (t) => {
  const engine = await referenceEngine()
  for (const picture of pictures) sameAsReference(t, picture, await engine.generate(picture.request, never))
  await engine.stop()
})

await t.test('and with all others and text to image at once', async (t) => {
  const engine = await referenceEngine()
  const others = (await referencePictures('sdxl-pictures')).slice(16).map((other) => ({ ...other, request: { ...other.request, id: `other ${other.request.id}` } }))
  const all = [...pictures, ...others]
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  all.forEach((picture, i) => sameAsReference(t, picture, images[i] as RgbImage))
})
