import { join } from 'node:path'
import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { referenceModel } from '../weights/single-file.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels } from './reference-pictures.ts'

t.setTimeout(180_000)
const never = new AbortController().signal
const registry = await openRegistry([join(referenceModel('sd1-tiny'), '..'), join(REFERENCE, 'prompts', 'embeddings')])
const airOf = (name: string) => `local:${name}@1`
const pictures = (await referencePictures('prompts')).map(({ request, image }) => {
  const { embeddings, ...rest } = request
  const uses = embeddings?.map(({ model, weight }) => ({ model: airOf(model), weight }))
  return { image, request: { ...rest, id: `prompt ${request.id}`, ...(uses && { embeddings: uses }) } }
})
const titleOf = ({ id, promptWeighting, embeddings = [], prompt }: GenerationRequest) =>
  `${id}: ${promptWeighting ?? 'plain'}, ${embeddings.map(({ model, weight }) => `${model} ${weight}`).join(' ')} ${prompt.slice(0, 40)}`

t.test('pictures of weighted prompts and of learnt embeddings are those diffusers makes, alone', async t => {
  t.same(registry.broken, [])
  const engine = await referenceEngine({ registry })
  for (const { request, image } of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(request, never), image)
    t.ok(shareWithinOne >= shareOfPixels, `${titleOf(request)} (${shareWithinOne.toFixed(4)}, ${largest})`)
  }
  await engine.stop()
})

t.test('and all together, in the same runs as plain prompts', async t => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, maxRows: 24, onRun: (report) => runs.push(report) })
  const plain = (await referencePictures()).filter(({ request }) => request.width === 64 && request.height === 64).slice(0, 6)
  const all = [...pictures, ...plain]
  // Once everything is loaded, those that come together join together; the prompts are others, so that none is remembered.
  await Promise.all(all.map(({ request }) => engine.generate({ ...request, id: `before ${request.id}`, prompt: 'x', negativePrompt: 'x', totalSteps: 1 }, never)))
  runs.length = 0
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  for (const [i, { request, image }] of all.entries()) {
    const { shareWithinOne, largest } = compare(images[i] as (typeof images)[number], image)
    t.ok(shareWithinOne >= shareOfPixels, `${titleOf(request)} (${shareWithinOne.toFixed(4)}, ${largest})`)
  }
  const kinds = new Map(all.map(({ request: { id, promptWeighting, embeddings } }) => [id, embeddings ? 'embeddings' : promptWeighting]))
  const mixed = (stage: RunReport['stage']) => runs.filter((run) => run.stage === stage && new Set(run.generations.map((id) => kinds.get(id))).size > 2)
  t.ok(mixed('encodePrompt').length > 0, 'one run of the text encoder has rows of all kinds')
  t.ok(mixed('denoise').length > 0)
})

t.test('an embedding that cannot be used is an error that names the field, and its neighbours go on', async t => {
  const engine = await referenceEngine({ registry })
  const [{ request }] = pictures as [(typeof pictures)[number]]
  const good = engine.generate(request, never)
  const bad = (model: string, ...names: readonly string[]) =>
    engine.generate({ ...request, id: names.join(), model: airOf(model), embeddings: names.map((name) => ({ model: airOf(name), weight: 1 })) }, never)
  for (const [model, names, message] of [
    ['sd1-tiny', ['star-sd2'], /^embeddings: local:star-sd2@1 has vectors of 48 numbers, and local:sd1-tiny@1 has one text encoder, of width 32/],
    ['sd1-tiny', ['pair'], /^embeddings: local:pair@1 is for models of two text encoders \(SDXL\)/],
    ['sd1-tiny', ['star', 'star'], /^embeddings: two of them have the trigger "<star>"/],
    ['sd1-tiny', ['sd2-tiny'], /^embeddings\[0\]\.model: local:sd2-tiny@1 is a checkpoint, not an embedding/],
  ] as const) await t.rejects(bad(model, ...names), { code: 'invalidParameter', parameter: /^embeddings/, message })
  t.ok(await good)
  await engine.stop()
})
