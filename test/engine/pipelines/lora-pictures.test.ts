import { join } from 'node:path'
import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { referenceModel } from '../weights/single-file.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// What diffusers and peft make of small LoRAs in every style of keys; tools/reference/loras.py makes them.

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const never = new AbortController().signal
const models = join(referenceModel('sd1-tiny'), '..')
const registry = await openRegistry([models, join(models, '..', 'loras')])

const pictures = (await referencePictures('lora-pictures')).map(({ request, image }) => {
  const loras = request.loras?.map(({ model, weight }) => ({ model: `local:${model}@1`, weight })) ?? []
  return { image, request: { ...request, id: `lora ${request.id}`, loras } }
})

function nameOf({ loras = [] }: GenerationRequest): string {
  return loras.map(({ model, weight }) => `${model} ${weight}`).join(', ') || 'no LoRA'
}

const runs: RunReport[] = []
const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
t.teardown(() => engine.stop())

await t.test('a picture with LoRAs is computed alone as diffusers and peft compute it', async (t) => {
  t.same(registry.broken, [])
  for (const picture of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(picture.request, never), picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${nameOf(picture.request)}; ${titleOf(picture)} (${shareWithinOne.toFixed(4)}, ${largest})`)
  }
})

await t.test('pictures with different LoRAs, several and none share their runs, and each is as alone', async (t) => {
  runs.length = 0
  const plain = (await referencePictures()).slice(0, 6)
  const all = [...pictures, ...plain].map((picture) => ({ ...picture, request: { ...picture.request, owner: 'one' } }))
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  for (const [i, { request, image }] of all.entries()) {
    const { shareWithinOne, largest } = compare(images[i] as (typeof images)[number], image)
    t.ok(shareWithinOne >= shareOfPixels, `${nameOf(request)}; ${request.id} (${shareWithinOne.toFixed(4)}, ${largest})`)
  }
  const names = new Map(all.map(({ request }) => [request.id, nameOf(request)]))
  const namesOf = ({ generations }: RunReport) => new Set(generations.map((id) => names.get(id)))
  const denoiseRuns = runs.filter(({ stage }) => stage === 'denoise')
  t.ok(denoiseRuns.some((run) => namesOf(run).has('no LoRA') && namesOf(run).size >= 3), 'a run has rows of two LoRAs and of none')
  const rows = denoiseRuns.reduce((sum, run) => sum + run.rows, 0)
  t.ok(rows / denoiseRuns.length > 4, `${(rows / denoiseRuns.length).toFixed(1)} of 8 rows in a run`)
})

await t.test('texts are encoded once for each LoRA that changes them, together, and remembered so', async (t) => {
  runs.length = 0
  const base = { ...(pictures[0] as (typeof pictures)[number]).request, prompt: 'a text that nobody asked for yet', guidanceScale: 1, totalSteps: 1 }
  const uses = [[], ['kohya', 1], ['kohya', 0.5], ['kohya', 0], ['locon', 1], ['peft', 1]] as const
  const generate = (round: number) => Promise.all(uses.map(([name, weight = 1], i) => {
    const loras = name === undefined ? [] : [{ model: `local:sd1-tiny-${name}@1`, weight }]
    return engine.generate({ ...base, id: `text ${round} ${i}`, loras }, never)
  }))
  await generate(1)
  const texts = runs.filter(({ stage }) => stage === 'encodePrompt')
  t.equal(texts.reduce((sum, { rows }) => sum + rows, 0), 4, 'without, kohya twice, peft; locon has no layer of the text encoder and a weight of 0 none at all')
  await generate(2)
  t.equal(runs.filter(({ stage }) => stage === 'encodePrompt').length, texts.length)
})
