import { join } from 'node:path'
import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const never = new AbortController().signal
const registry = await openRegistry([join(REFERENCE, 'models'), join(REFERENCE, 'ip-adapters')])
const pictures = (await referencePictures('ip-adapter-pictures')).map(({ request, image }) => {
  const ipAdapters = (request.ipAdapters ?? []).map((use) => ({ ...use, model: `local:${use.model}@1` }))
  return { image, request: { ...request, id: `guided ${request.id}`, ipAdapters } }
})
const plain = (await referencePictures()).slice(0, 3)
const setOf = ({ model, ipAdapters = [] }: GenerationRequest) => [model, ...ipAdapters.map((use) => use.model).sort()].join(' ')

await t.test('a picture with IP-Adapters is computed alone as diffusers computes it', async (t) => {
  t.same(registry.broken, [])
  const engine = await referenceEngine({ registry })
  for (const picture of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(picture.request, never), picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${setOf(picture.request)} ${titleOf(picture)} (${shareWithinOne}, ${largest})`)
  }
  await engine.stop()
})

await t.test('pictures of the same adapters share runs whatever their guides and weights, and all are as diffusers computes them', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  // What they need is loaded first, so that they meet; two of each, for those that come last.
  for (const { request } of pictures) await engine.generate({ ...request, id: `before ${request.id}` }, never)
  runs.length = 0
  const all = [1, 2].flatMap((copy) => [...pictures, ...plain].map(({ request, image }) => ({ image, request: { ...request, id: `${copy} ${request.id}`, owner: 'one' } })))
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  for (const [i, { request, image }] of all.entries()) {
    const { shareWithinOne, largest } = compare(images[i] as (typeof images)[number], image)
    t.ok(shareWithinOne >= shareOfPixels, `${request.id} (${shareWithinOne}, ${largest})`)
  }
  const sets = new Map(all.map(({ request }) => [request.id, setOf(request)]))
  const denoise = runs.filter(({ stage }) => stage === 'denoise')
  for (const run of denoise) t.equal(new Set(run.generations.map((id) => sets.get(id))).size, 1, 'one set of adapters in a run')
  const pictureOf = (id: string) => id.split(' ').at(-1)
  const shared = (set: string) => denoise.some((run) => sets.get(run.generations[0] ?? '') === set && new Set(run.generations.map(pictureOf)).size > 1)
  t.ok(shared('local:sd1-tiny@1 local:sd1-plain@1'))
  t.ok(shared('local:sd1-tiny@1 local:sd1-plain@1 local:sd1-plus@1'), 'in either order')
})

await t.test('the pictures of a task have their guide image encoded once', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  const [{ request }] = pictures as [(typeof pictures)[number]]
  const results = [1, 2, 3].map((seed) => engine.generate({ ...request, id: `result ${seed}`, seed }, never))
  await Promise.all(results)
  await engine.stop()
  const rows = runs.filter(({ stage, generations }) => stage === 'encodePrompt' && generations.length > 0).map((run) => run.rows)
  // The prompt, the negative prompt, the guide image; and the adapter's tokens for it and for no image: each once.
  t.equal(rows.reduce((sum, each) => sum + each, 0), 5)
})

await t.test('adapters of one image encoder share it: it is open once, and sees a picture once for both', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  const { request, image } = pictures.find(({ request: { ipAdapters } }) => new Set(ipAdapters.map(({ model }) => model)).size === 2) as (typeof pictures)[number]
  const [first] = request.ipAdapters as [(typeof request.ipAdapters)[number]]
  const second = request.ipAdapters.find(({ model }) => model !== first.model) as typeof first
  t.ok(compare(await engine.generate(request, never), image).shareWithinOne >= shareOfPixels)
  runs.length = 0
  // A file of its own, for what was made of the other is known.
  const guideImage = Uint8Array.from(first.guideImage)
  await engine.generate({ ...request, id: 'same guide', ipAdapters: [{ ...first, guideImage }, { ...second, guideImage }] }, never)
  await engine.stop()
  const rows = runs.filter(({ stage, generations }) => stage === 'encodePrompt' && generations.length > 0).map((run) => run.rows)
  // The prompts are known, and what stands for no image: what the encoder sees, and the tokens of each adapter.
  t.same(rows, [1, 1, 1])
})

await t.test('an adapter that cannot be used is an error that names it, and its neighbours go on', async (t) => {
  const engine = await referenceEngine({ registry })
  const [{ request }] = pictures as [(typeof pictures)[number]]
  const [use] = request.ipAdapters as [(typeof request.ipAdapters)[number]]
  const good = engine.generate(request, never)
  const bad = async (id: string, change: Partial<GenerationRequest>, parameter: string, message: RegExp) =>
    t.rejects(engine.generate({ ...request, id, ...change }, never), { name: 'EngineError', code: 'invalidParameter', parameter, message })
  await bad('gone', { ipAdapters: [use, { ...use, model: 'local:gone@1' }] }, 'ipAdapters[1].model', /there is no model "local:gone@1"/)
  await bad('sd2', { model: 'local:sd2-tiny@1' }, 'ipAdapters[0].model', /made for another kind of checkpoint/)
  await bad('damaged', { ipAdapters: [{ ...use, guideImage: Uint8Array.of(1, 2, 3) }] }, 'ipAdapters[0].guideImage', /no PNG, JPG or WEBP/)
  t.ok(await good)
  await engine.stop()
})
