import t from 'tap'
import { controlNetPictures, controlNetRegistry, usesOf } from './control-net-pictures.ts'
import { compare, referenceEngine, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const registry = await controlNetRegistry('loras')
const pictures = await controlNetPictures('control-net-image-pictures')
const never = new AbortController().signal

await t.test('image to image, inpainting and LoRAs go together with ControlNets as diffusers has it, alone and at once', async (t) => {
  const engine = await referenceEngine({ registry })
  const alone = []
  for (const { request } of pictures) alone.push(await engine.generate({ ...request, id: `alone ${request.id}` }, never))
  const together = await Promise.all(pictures.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  for (const [i, picture] of pictures.entries()) {
    for (const [title, image] of [['alone', alone[i]], ['at once', together[i]]] as const) {
      const { shareWithinOne, largest } = compare(image as NonNullable<typeof image>, picture.image)
      t.ok(shareWithinOne >= shareOfPixels, `${title}, ${usesOf(picture)}: ${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
    }
  }
})
