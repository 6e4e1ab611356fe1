import t from 'tap'
import { controlNetPictures, controlNetRegistry, usesOf } from './control-net-pictures.ts'
import { compare, referenceEngine, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const registry = await controlNetRegistry()
const pictures = await controlNetPictures()
const never = new AbortController().signal

await t.test('a picture under ControlNets is computed alone as diffusers computes it', async (t) => {
  t.same(registry.broken, [])
  const engine = await referenceEngine({ registry })
  for (const picture of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(picture.request, never), picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${usesOf(picture)}: ${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
  }
  await engine.stop()
})
