import t from 'tap'
import { fakeEngine, never, request } from './fake-model.ts'

await t.test('what a request uses beside its model is held for as long as it is inside', async (t) => {
  const { engine, loader } = fakeEngine()
  const [own, bright] = await Promise.all([engine.generate(request('own'), never), engine.generate(request('bright', { vae: 'bright:1@1' }), never)])
  t.ok(bright.data.every((value, i) => value === Math.min(255, (own.data[i] as number) + 50)), 'the other VAE made the picture')
  t.same(loader.held, [])
  const picture = engine.generate(request('again', { vae: 'bright:1@1' }), never)
  while (!loader.held.includes('bright:1@1')) await new Promise((resolve) => setImmediate(resolve))
  t.same([...loader.held], ['fake:1@1', 'bright:1@1'])
  await picture
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('a part that cannot be used is an error that names the field, and fails its generation alone', async (t) => {
  const { engine, loader } = fakeEngine()
  const good = engine.generate(request('good'), never)
  const expected = { name: 'EngineError', code: 'invalidParameter', parameter: 'vae' }
  await t.rejects(engine.generate(request('broken', { vae: 'broken:1@1' }), never), { ...expected, message: /^vae: broken:1@1 is broken/ })
  await t.rejects(engine.generate(request('wide', { vae: 'wide:1@1' }), never), { ...expected, message: /^vae: it is for latents of 16 channels/ })
  await good
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('a generation that is cancelled while a part is loaded holds nothing', async (t) => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  let loads = 0
  // The first load is the model's.
  const { engine, loader } = fakeEngine({ loadGate: () => (loads++ === 0 ? Promise.resolve() : gate) })
  const controller = new AbortController()
  const picture = engine.generate(request('a', { vae: 'bright:1@1' }), controller.signal)
  const failed = t.rejects(picture, { message: 'not wanted' })
  while (loads < 2) await new Promise((resolve) => setImmediate(resolve))
  controller.abort(new Error('not wanted'))
  await failed
  open()
  await engine.generate(request('b'), never)
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('pictures of different VAEs share the runs of the UNet and not those of the decoders', async (t) => {
  const { engine, runs } = fakeEngine()
  const vaes = new Map([['a', undefined], ['b', 'bright:1@1'], ['c', 'bright:1@1']])
  await Promise.all([...vaes].map(([id, vae]) => engine.generate(request(id, { totalSteps: 9, ...(vae !== undefined && { vae }) }), never)))
  const mixed = (stage: string) => runs.filter((run) => run.stage === stage && new Set(run.generations.map((id) => vaes.get(id))).size > 1)
  t.ok(mixed('denoise').length > 0)
  t.same(mixed('decode'), [])
  await engine.stop()
})
