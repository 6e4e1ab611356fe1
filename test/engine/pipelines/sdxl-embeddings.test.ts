import { join } from 'node:path'
import t from 'tap'
import type { RgbImage } from '../../../engine/core/generation-request.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { referenceModel } from '../weights/single-file.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

// What diffusers and compel make of learnt embeddings and weights with two text encoders; tools/reference/sdxl_embeddings.py makes it.

t.setTimeout(180_000)
const never = new AbortController().signal
const registry = await openRegistry([join(referenceModel('sdxl-tiny'), '..'), join(REFERENCE, 'sdxl-embeddings', 'embeddings')])
const pictures = (await referencePictures('sdxl-embeddings')).map(({ request, image }): ReferencePicture => {
  const { embeddings, ...rest } = request
  const uses = embeddings?.map(({ model, weight }) => ({ model: `local:${model}@1`, weight }))
  return { image, request: { ...rest, ...(uses && { embeddings: uses }) } }
})
const aboutOf = ({ request: { prompt, promptWeighting, refiner } }: ReferencePicture) => `${promptWeighting ?? 'plain'}${refiner ? ', refined' : ''} ${prompt}; `

t.test('learnt embeddings and weights mean to both text encoders of SDXL, and to a refiner, what they mean in the reference', async t => {
  t.same(registry.broken, [])
  const engine = await referenceEngine({ registry })
  for (const picture of pictures) sameAsReference(t, picture, await engine.generate({ ...picture.request, id: `alone ${picture.request.id}` }, never), aboutOf(picture))
  const together = await Promise.all(pictures.map(({ request }) => engine.generate(request, never)))
  pictures.forEach((picture, i) => sameAsReference(t, picture, together[i] as RgbImage, aboutOf(picture)))
  await engine.stop()
})
