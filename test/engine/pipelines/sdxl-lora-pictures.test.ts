import { join } from 'node:path'
import t from 'tap'
import { openRegistry } from '../../../engine/models/registry.ts'
import { referenceModel } from '../weights/single-file.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'

// What diffusers and peft make of small LoRAs for SDXL; tools/reference/sdxl_loras.py makes them.

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const never = new AbortController().signal
const models = join(referenceModel('sdxl-tiny'), '..')
const registry = await openRegistry([models, join(models, '..', 'loras')])
const pictures = (await referencePictures('sdxl-lora-pictures')).map(({ request, image }) => {
  const loras = request.loras?.map(({ model, weight }) => ({ model: `local:${model}@1`, weight })) ?? []
  return { image, request: { ...request, id: `lora ${request.id}`, loras } }
})

await t.test('SDXL pictures with LoRAs, for its UNet and both text encoders, are those of diffusers, alone and together', async (t) => {
  t.same(registry.broken, [])
  const engine = await referenceEngine({ registry })
  const plain = (await referencePictures('sdxl-pictures')).slice(0, 4)
  const alone = []
  for (const { request } of pictures) alone.push(await engine.generate({ ...request, id: `${request.id} alone` }, never))
  const all = [...pictures, ...plain]
  const together = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  for (const [i, picture] of all.entries()) {
    for (const image of [alone[i], together[i]]) {
      if (image !== undefined) sameAsReference(t, picture, image)
    }
  }
  await engine.stop()
})
