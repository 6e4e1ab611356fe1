import t from 'tap'
import type { RgbImage } from '../../../engine/core/generation-request.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const pictures = await referencePictures('sdxl-image-pictures')
const never = new AbortController().signal

/** What of a request its title does not say. */
function kindOf({ request: { model, mask, refiner } }: ReferencePicture): string {
  return `${model}${mask ? ', inpainting' : ''}${refiner ? ', refined' : ''}; `
}

await t.test('SDXL makes of a picture what diffusers makes of it, with a refiner and within a mask, alone', async (t) => {
  const engine = await referenceEngine()
  for (const picture of pictures) sameAsReference(t, picture, await engine.generate(picture.request, never), kindOf(picture))
  await engine.stop()
})

await t.test('and with all others and text to image at once', async (t) => {
  const engine = await referenceEngine()
  const others = (await referencePictures('sdxl-pictures')).slice(16).map((other) => ({ ...other, request: { ...other.request, id: `other ${other.request.id}` } }))
  const all = [...pictures, ...others]
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  all.forEach((picture, i) => sameAsReference(t, picture, images[i] as RgbImage, kindOf(picture)))
})
