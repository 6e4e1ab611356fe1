import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { writeSafetensors } from '../weights/safetensors-writer.ts'
import { referenceModel, singleFileTensors } from '../weights/single-file.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

const never = new AbortController().signal
const single = 'local:sd1-single@1'

/** The reference models, each one's VAE as a folder by itself, and one as a file under the original names. */
const folder = t.testdir({})
const names = ['sd1-tiny', 'sd2-tiny', 'mixed-tiny']
for (const name of names) await cp(join(referenceModel(name), 'vae'), join(folder, name), { recursive: true })
await mkdir(join(folder, 'description'))
await cp(join(referenceModel('sd1-tiny'), 'vae', 'config.json'), join(folder, 'description', 'config.json'))
const checkpoint = Object.entries(await singleFileTensors('sd1-tiny'))
const vaeTensors = checkpoint.filter(([name]) => name.startsWith('first_stage_model.')).map(([name, tensor]) => [name.slice(18), tensor] as const)
await writeSafetensors(join(folder, 'single.safetensors'), Object.fromEntries(vaeTensors))
const entries = names.map((name) => ({ air: `local:${name}-vae@1`, type: 'vae', path: name }))
await writeFile(join(folder, 'models.json'), JSON.stringify({
  models: [...entries, { air: single, type: 'vae', path: 'single.safetensors', config: 'description' }],
}))
const registry = await openRegistry([join(referenceModel('sd1-tiny'), '..'), folder])

const pictures = (await referencePictures('vae-pictures')).map(({ request, image }) => {
  return { image, request: { ...request, id: `vae ${request.id}`, vae: `local:${request.vae ?? ''}-vae@1` } }
})
const own = (await referencePictures()).slice(0, 3)

await t.test('a picture is decoded by the VAE it asks for as diffusers does it, alone', async (t) => {
  t.same(registry.broken, [])
  const engine = await referenceEngine({ registry })
  for (const picture of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(picture.request, never), picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${picture.request.vae} ${titleOf(picture)} (${shareWithinOne}, ${largest})`)
  }
  await engine.stop()
})

await t.test('pictures of several VAEs share the runs of the UNet and not those of the decoders', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  const all = [...pictures, ...own]
  const together = all.map(({ request }) => ({ ...request, owner: 'one' }))
  const images = await Promise.all(together.map((request) => engine.generate(request, never)))
  await engine.stop()
  for (const [i, { image }] of all.entries()) {
    t.ok(compare(images[i] as (typeof images)[number], image).shareWithinOne >= shareOfPixels, `picture ${i}`)
  }
  const vaes = new Map(together.map(({ id, vae }) => [id, vae]))
  const mixed = (stage: RunReport['stage']) => runs.filter((run) => run.stage === stage && new Set(run.generations.map((id) => vaes.get(id))).size > 1)
  t.ok(mixed('denoise').length > 0)
  t.same(mixed('decode'), [])
})

await t.test('a VAE in a file of the original names gives what its folder gives', async (t) => {
  const engine = await referenceEngine({ registry })
  const request = (pictures.find(({ request }) => request.vae === 'local:sd1-tiny-vae@1') as (typeof pictures)[number]).request
  t.same(await engine.generate({ ...request, id: 'file', vae: single }, never), await engine.generate(request, never))
  await engine.stop()
})

await t.test('a VAE that cannot be used is an error that names the field, and its neighbours go on', async (t) => {
  const engine = await referenceEngine({ registry })
  const [{ request }] = own as [(typeof own)[number]]
  const bad = (vae: string): GenerationRequest => ({ ...request, id: vae, vae })
  const good = engine.generate(request, never)
  for (const [vae, message] of [['local:gone@1', /^vae: there is no model/], ['local:sd1-tiny@1', /^vae: local:sd1-tiny@1 is a checkpoint, not a vae/]] as const) {
    await t.rejects(engine.generate(bad(vae), never), { code: 'invalidParameter', parameter: 'vae', message })
  }
  t.ok(await good)
  await engine.stop()
})
