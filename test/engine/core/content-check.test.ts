import t from 'tap'
import type { GeneratedImage } from '../../../engine/core/generation-request.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { fakeEngine, flaggedAbove, never, request, type BeforeRun } from './fake-model.ts'

const mean = ({ data }: GeneratedImage) => data.reduce((sum, value) => sum + value, 0) / data.length

await t.test('the checker judges a picture by what is in it, in runs that pictures of all sizes and models share', async (t) => {
  const { engine, loader, runs } = fakeEngine()
  const variants = [
    { vae: 'bright:1@1' }, { vae: 'bright:1@1', width: 128 }, {}, { seed: 3, height: 128 }, { model: 'fake:2@1' }, { prompt: 'a dog' },
  ]
  const images = await Promise.all(variants.map((fields, i) => engine.generate(request(`${i}`, { ...fields, checkContent: true }), never)))
  for (const image of images) t.equal(image.isSensitive, mean(image) > flaggedAbove)
  t.same(new Set(images.map(({ isSensitive }) => isSensitive)), new Set([true, false]))
  const checks = runs.filter(({ stage }) => stage === 'checkContent')
  t.same(checks.flatMap(({ generations }) => [...generations]).sort(), ['0', '1', '2', '3', '4', '5'])
  t.ok(checks.length < variants.length, `${checks.length} runs`)
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('a picture without a check is done when it is decoded, and nothing is said of it', async (t) => {
  const { engine, runs } = fakeEngine()
  const image = await engine.generate(request('plain'), never)
  t.notOk('isSensitive' in image)
  t.notOk(runs.some(({ stage }) => stage === 'checkContent'))
  await engine.stop()
})

await t.test('a refined picture is judged by the checker of the model that it began with', async (t) => {
  const { engine, runs } = fakeEngine()
  const image = await engine.generate(request('refined', { totalSteps: 6, checkContent: true, refiner: { model: 'fake:refiner@1', startStep: 4 } }), never)
  t.equal(image.isSensitive, mean(image) > flaggedAbove)
  t.equal(runs.at(-1)?.stage, 'checkContent')
  await engine.stop()
})

await t.test('a picture that cannot be judged fails alone, and is never said to be clean', async (t) => {
  const spoil: BeforeRun = (network, feeds) => {
    if (network !== 'safetyChecker') return
    const { data, dims: [rows = 0] } = feeds.pixel_values as Tensor<'float32'>
    const size = data.length / rows
    for (let row = 0; row < rows; row++) {
      const part = data.subarray(row * size, (row + 1) * size)
      if (part.reduce((sum, value) => sum + value / size, 0) > 240) part[0] = NaN
    }
  }
  const { engine } = fakeEngine({ before: spoil })
  const bright = engine.generate(request('bright', { vae: 'bright:1@1', checkContent: true }), never)
  const plain = engine.generate(request('plain', { checkContent: true }), never)
  await t.rejects(bright, { name: 'EngineError', code: 'inferenceError', message: /cannot judge/ })
  t.type((await plain).isSensitive, 'boolean')
  await engine.stop()
})
