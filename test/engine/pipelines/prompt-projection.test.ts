import { join } from 'node:path'
import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

// What a prompt's keys and values depend on, in every combination that rows of a run may have: LoRAs of attn2's to_k and to_v (peft,
// locon), LoRAs without those (kohya), none; prompts of one and of several chunks; with guidance and without.

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const registry = await openRegistry(['models', 'loras'].map((name) => join(REFERENCE, name)))
const never = new AbortController().signal
const plain = await referencePictures()
const withLoras = await referencePictures('lora-pictures')
const pictures = [
  ...[51, 54].map((number) => plain[number] as ReferencePicture),
  ...[1, 3, 4].map((number) => withLoras[number] as ReferencePicture),
].map(({ request, image }, index): ReferencePicture => {
  const loras = request.loras?.map(({ model, weight }) => ({ model: `local:${model}@1`, weight })) ?? []
  return { image, request: { ...request, id: String(index), owner: 'one', loras } }
})

const runs: RunReport[] = []
const engine = await referenceEngine({ registry, maxRows: 24, onRun: (report) => runs.push(report) })
t.teardown(() => engine.stop())
const runsOf = (stage: RunReport['stage']) => runs.filter((run) => run.stage === stage)

await t.test('a request\'s prompts are projected in one run, whatever its steps, and again for the next request', async (t) => {
  const projections = () => runsOf('projectPrompt').map(({ rows, generations }) => ({ rows, generations }))
  for (const picture of pictures) {
    const { request: { id, guidanceScale, totalSteps } } = picture
    runs.length = 0
    sameAsReference(t, picture, await engine.generate(picture.request, never), 'alone, ')
    t.same(projections(), [{ rows: guidanceScale > 1 ? 2 : 1, generations: [id] }])
    t.ok(runsOf('denoise').length >= totalSteps)
  }
  runs.length = 0
  await engine.generate({ ...(pictures[0] as ReferencePicture).request, id: 'again', totalSteps: 2 }, never)
  t.same(projections(), [{ rows: 2, generations: ['again'] }], 'of its texts nothing is encoded again')
  t.equal(runsOf('encodePrompt').length, 0)
})

await t.test('prompts of all kinds share runs, and each picture is the reference\'s', async (t) => {
  runs.length = 0
  const images = await Promise.all(pictures.map(({ request }) => engine.generate(request, never)))
  for (const [i, picture] of pictures.entries()) sameAsReference(t, picture, images[i] as (typeof images)[number], 'together, ')
  const ids = pictures.map(({ request }) => request.id)
  t.same(runsOf('projectPrompt').flatMap(({ generations }) => generations).sort(), ids, 'each took part in one run')
  t.ok(runsOf('denoise').some(({ generations }) => generations.length === ids.length), 'all were in one run of the UNet')
})

await t.test('a prompt is projected once for all that share it, and once more for each LoRA that changes it', async (t) => {
  runs.length = 0
  const { request } = pictures[0] as ReferencePicture
  const uses = [[], [], ['kohya', 1], ['peft', 1], ['peft', 1], ['peft', 0.5], ['peft', 0]] as const
  await Promise.all(uses.map(([name, weight = 1], i) => {
    const loras = name === undefined ? [] : [{ model: `local:sd1-tiny-${name}@1`, weight }]
    return engine.generate({ ...request, id: `shared ${i}`, seed: i, guidanceScale: 1, totalSteps: 1, loras }, never)
  }))
  // The texts' states are others with kohya and with peft, which have layers of the text encoder.
  t.equal(runsOf('projectPrompt').reduce((sum, { rows }) => sum + rows, 0), 4)
})
