import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const never = new AbortController().signal
const folder = join(REFERENCE, 'safety-checker')
const registry = await openRegistry([join(REFERENCE, 'models'), join(folder, 'tiny')])
/** By number of the picture: what the pipeline of diffusers says with this checker. */
const said = JSON.parse(await readFile(join(folder, 'pictures.json'), 'utf8')) as Readonly<Record<string, boolean>>
const pictures = (await referencePictures()).filter(({ request }) => String(Number(request.id)) in said)

await t.test('pictures are flagged as diffusers flags them, together and beside pictures that nobody checks', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  const unchecked = pictures.slice(0, 4).map(({ request }) => ({ ...request, id: `unchecked ${request.id}` }))
  const checked = pictures.map(({ request }) => ({ ...request, owner: 'one', checkContent: true }))
  const [images, others] = await Promise.all([checked, unchecked].map((requests) => Promise.all(requests.map((request) => engine.generate(request, never)))))
  await engine.stop()
  for (const [i, picture] of pictures.entries()) {
    const image = images?.[i]
    t.equal(image?.isSensitive, said[String(Number(picture.request.id))], titleOf(picture))
    t.ok(image && compare(image, picture.image).shareWithinOne >= shareOfPixels, 'and the picture is delivered as it is')
  }
  t.same(new Set(Object.values(said)), new Set([true, false]), 'some are flagged, and not all')
  t.ok(others?.every((image) => !('isSensitive' in image)), 'nothing is said of a picture whose request does not ask')
  const checks = runs.filter((run) => run.stage === 'checkContent')
  t.same(checks.flatMap((run) => [...run.generations]).sort(), checked.map(({ id }) => id).sort(), 'each picture is checked once')
  const mixed = runs.filter((run) => run.stage === 'denoise' && run.generations.some((id) => id.startsWith('unchecked')) && run.generations.some((id) => !id.startsWith('unchecked')))
  t.ok(mixed.length > 0, 'they share the runs of the UNet')
})

await t.test('a check that nothing can do is an error that names the field', async (t) => {
  const engine = await referenceEngine()
  const [{ request }] = pictures as [(typeof pictures)[number]]
  const expected = { name: 'EngineError', code: 'invalidParameter', parameter: 'checkContent', message: /^checkContent: there is no safety checker for local:sd1-tiny@1/ }
  await t.rejects(engine.generate({ ...request, checkContent: true }, never), expected)
  t.ok(await engine.generate({ ...request, id: 'again' }, never))
  await engine.stop()
})
