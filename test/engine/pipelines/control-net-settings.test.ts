import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import { controlNetPictures, controlNetRegistry } from './control-net-pictures.ts'
import { compare, referenceEngine } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const registry = await controlNetRegistry()
const pictures = await controlNetPictures()
const never = new AbortController().signal

await t.test('every setting of a ControlNet changes the picture', async (t) => {
  const engine = await referenceEngine({ registry })
  const [{ request }, { request: other }] = pictures as [(typeof pictures)[number], (typeof pictures)[number]]
  const use = request.controlNets?.[0] as NonNullable<GenerationRequest['controlNets']>[number]
  const changes = {
    'no ControlNet': [],
    'another ControlNet': [{ ...use, model: 'local:sd1-tiny-depth@1' }],
    'another guide image': [{ ...use, guideImage: other.controlNets?.[0]?.guideImage ?? use.guideImage }],
    'another weight': [{ ...use, weight: 0.5 }],
    'a later start': [{ ...use, start: 0.5 }],
    'an earlier end': [{ ...use, end: 0.5 }],
    'for the prompt': [{ ...use, controlMode: 'prompt' as const }],
    'for the ControlNet': [{ ...use, controlMode: 'controlNet' as const }],
    'a second use': [use, use],
  }
  const original = await engine.generate(request, never)
  for (const [title, controlNets] of Object.entries(changes)) {
    const { shareWithinOne } = compare(await engine.generate({ ...request, id: title, controlNets }, never), original)
    t.ok(shareWithinOne < 0.9, `${title}: ${shareWithinOne.toFixed(3)} stay as they were`)
  }
  await engine.stop()
})

await t.test('a ControlNet that cannot be used is an error that names its place, and its neighbours go on', async (t) => {
  const engine = await referenceEngine({ registry })
  const [{ request }] = pictures as [(typeof pictures)[number]]
  const use = request.controlNets?.[0] as NonNullable<GenerationRequest['controlNets']>[number]
  const good = engine.generate(request, never)
  for (const [model, message] of [
    ['local:gone@1', /^controlNets\[1\]\.model: there is no model "local:gone@1"/],
    ['local:sd1-tiny@1', /^controlNets\[1\]\.model: local:sd1-tiny@1 is a checkpoint, not a controlnet/],
    ['LOCAL:SD2-TINY-EDGES@1', /^controlNets\[1\]\.model: the model local:sd2-tiny-edges@1 cannot be loaded: it was made for another kind of checkpoint: it takes prompts of width 48/],
  ] as const) {
    const bad = engine.generate({ ...request, id: model, controlNets: [use, { ...use, model }] }, never)
    await t.rejects(bad, { code: 'invalidParameter', parameter: 'controlNets[1].model', message })
  }
  const damaged = engine.generate({ ...request, id: 'damaged', controlNets: [{ ...use, guideImage: Uint8Array.of(1, 2, 3) }] }, never)
  await t.rejects(damaged, { code: 'invalidParameter', parameter: 'controlNets[0].guideImage' })
  t.ok(await good)
  await engine.stop()
})
