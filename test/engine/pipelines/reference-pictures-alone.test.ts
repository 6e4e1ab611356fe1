import t from 'tap'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const pictures = await referencePictures()
const never = new AbortController().signal

await t.test('every reference picture is computed alone as diffusers computes it', async (t) => {
  const engine = await referenceEngine()
  for (const picture of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(picture.request, never), picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
  }
  await engine.stop()
})
