import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { fakeEngine, never, request } from './fake-model.ts'

const base = 'fake:1@1'
const refiner = 'fake:refiner@1'
const refined = (startStep: number) => ({ refiner: { model: refiner, startStep } })

/** What ran for a generation, in order: the stage and the model, equal ones in a row counted. */
function courseOf(runs: readonly RunReport[], id: string): readonly string[] {
  const mine = runs.filter(({ generations }) => generations.includes(id)).map(({ stage, model }) => `${stage} ${model}`)
  const course: { readonly what: string; count: number }[] = []
  for (const what of mine) {
    const last = course.at(-1)
    if (last?.what === what) last.count += 1
    else course.push({ what, count: 1 })
  }
  return course.map(({ what, count }) => `${count} ${what}`)
}

await t.test('a refiner takes a generation over between two steps: it encodes the prompts, makes the rest of the steps and decodes', async (t) => {
  const { engine, loader, runs } = fakeEngine()
  for (const [startStep, before] of [[2, 1], [3, 2], [6, 5]] as const) {
    const id = `from ${startStep}`
    const image = engine.generate(request(id, { totalSteps: 6, prompt: `a cat ${startStep}`, ...refined(startStep) }), never)
    await image
    t.same(courseOf(runs, id), [
      `1 encodePrompt ${base}`, `${before} denoise ${base}`, `1 encodePrompt ${refiner}`, `${6 - before} denoise ${refiner}`, `1 decode ${refiner}`,
    ])
  }
  t.same(loader.held, [], 'neither model is held any longer')
  await engine.stop()
})

await t.test('a refined picture is the same alone and in company', async (t) => {
  const { engine } = fakeEngine()
  const alone = await engine.generate(request('alone', { totalSteps: 6, ...refined(4) }), never)
  const [again] = await Promise.all([
    engine.generate(request('again', { totalSteps: 6, ...refined(4) }), never),
    engine.generate(request('other', { totalSteps: 9, prompt: 'a long prompt of many parts', ...refined(2) }), never),
    engine.generate(request('base only', { totalSteps: 3 }), never),
    engine.generate(request('refiner only', { model: refiner, totalSteps: 12 }), never),
  ])
  t.ok(Buffer.from(alone.data).equals(again.data))
  await engine.stop()
})

await t.test('rows that a refiner has taken over share its runs with those of tasks that use it themselves', async (t) => {
  const { engine, runs } = fakeEngine()
  const long = engine.generate(request('long', { model: refiner, totalSteps: 30 }), never)
  const short = engine.generate(request('short', { totalSteps: 8, ...refined(3) }), never)
  await Promise.all([long, short])
  const ofRefiner = runs.filter(({ stage, model, generations }) => stage === 'denoise' && model === refiner && generations.includes('short'))
  t.equal(ofRefiner.length, 6)
  t.ok(ofRefiner.every(({ generations, rows }) => generations.includes('long') && rows === 4))
  await engine.stop()
})

await t.test('what goes wrong with a refiner ends its generation alone', async (t) => {
  let isBroken = false
  const { engine, loader, runs } = fakeEngine({
    before: (network, feeds) => {
      const rows = feeds.input_ids?.dims[0] ?? 0
      if (isBroken && network === 'textEncoder' && rows > 0) throw new Error('kernel failed')
    },
  })
  await t.rejects(engine.generate(request('none', { refiner: { model: 'broken:1@1', startStep: 2 } }), never), {
    name: 'EngineError', parameter: 'refiner', message: /refiner: broken:1@1 is broken/,
  })
  t.same(loader.held, [])
  const healthy = engine.generate(request('healthy', { totalSteps: 12 }), never)
  const failing = engine.generate(request('failing', { totalSteps: 6, ...refined(3) }), never)
  failing.catch(() => {})
  while (!runs.some(({ generations, stage }) => stage === 'denoise' && generations.includes('failing'))) await new Promise((resolve) => setImmediate(resolve))
  isBroken = true
  await t.rejects(failing, { name: 'EngineError', code: 'inferenceError' })
  t.ok((await healthy).data.length > 0)
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('a generation is cancelled after a refiner has taken it over', async (t) => {
  const { engine, loader, runs } = fakeEngine()
  const controller = new AbortController()
  const image = engine.generate(request('cancelled', { totalSteps: 50, ...refined(3) }), controller.signal)
  image.catch(() => {})
  while (!runs.some(({ model, stage }) => stage === 'denoise' && model === refiner)) await new Promise((resolve) => setImmediate(resolve))
  controller.abort(new Error('the client hung up'))
  await t.rejects(image, { message: 'the client hung up' })
  t.same(loader.held, [])
  await engine.stop()
})
