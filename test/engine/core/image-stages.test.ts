import t from 'tap'
import type { DecodedRequest, RgbImage } from '../../../engine/core/generation-request.ts'
import { fakeEngine, never, request } from './fake-model.ts'

const solid = (value: number): RgbImage => ({ width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(value) })
const kinds: Readonly<Record<string, Partial<DecodedRequest>>> = {
  text: {},
  image: { initImage: solid(200), strength: 1 },
  inpaint: { initImage: solid(60), mask: solid(255), strength: 1 },
}

t.test('text to image, image to image and inpainting of one model and size share every run', async (t) => {
  const { engine, runs } = fakeEngine({ maxRows: 16 })
  await Promise.all(Object.entries(kinds).map(([id, fields]) => engine.generate(request(id, fields), never)))
  await engine.stop()
  const ids = Object.keys(kinds)
  t.same(runs.map(({ stage }) => stage), ['encodeImage', 'encodePrompt', 'denoise', 'denoise', 'denoise', 'denoise', 'decode'])
  t.same(runs[0]?.generations, ['image', 'inpaint'])
  for (const run of runs.filter(({ stage }) => stage === 'denoise')) {
    t.same([...run.generations].sort(), [...ids].sort())
    t.equal(run.rows, 6, 'two rows each')
  }
  t.equal(runs.at(-1)?.rows, 3)
})

t.test('a picture that comes while others are denoised joins them when it is encoded', async (t) => {
  let joined: Promise<unknown> | undefined
  const { engine, runs } = fakeEngine({
    maxRows: 16,
    before: (network) => {
      if (network === 'unet') joined ??= engine.generate(request('late', { ...kinds['image'] }), never)
    },
  })
  await engine.generate(request('early', { totalSteps: 12 }), never)
  await joined
  await engine.stop()
  const shared = runs.filter(({ stage, generations }) => stage === 'denoise' && generations.length === 2)
  t.equal(shared.length, 4, 'all steps of the one that came later')
})

t.test('the results of one task have their picture encoded once, another VAE encodes it anew', async (t) => {
  const { engine, runs } = fakeEngine({ maxRows: 16 })
  const initImage = solid(90)
  const results = Array.from({ length: 5 }, (_, i) => request(`${i}`, { initImage, strength: 1, seed: i }))
  await Promise.all(results.map((result) => engine.generate(result, never)))
  t.same(runs.filter(({ stage }) => stage === 'encodeImage').map(({ rows }) => rows), [1])
  await engine.generate(request('again', { initImage, strength: 1 }), never)
  t.equal(runs.filter(({ stage }) => stage === 'encodeImage').length, 1)
  await engine.generate(request('other', { initImage, strength: 1, vae: 'fake:vae@1' }), never)
  t.equal(runs.filter(({ stage }) => stage === 'encodeImage').length, 2)
  await engine.stop()
})

t.test('an encoder that fails for one picture fails that one alone', async (t) => {
  const { engine } = fakeEngine({
    maxRows: 16,
    before: (network, feeds) => {
      const pixels = feeds['pixels']?.data as Float32Array | undefined
      if (network === 'vaeEncoder' && pixels?.some((value) => value > 0.9)) throw new Error('the device said no')
    },
  })
  const bad = engine.generate(request('bad', { initImage: solid(255), strength: 1 }), never)
  const good = engine.generate(request('good', { initImage: solid(10), strength: 1 }), never)
  await t.rejects(bad, { name: 'EngineError', code: 'inferenceError' })
  t.match(await good, { width: 64 })
  await engine.stop()
})

t.test('no room for all pictures at once is met with fewer', async (t) => {
  const { engine, runs } = fakeEngine({
    maxRows: 16,
    before: (network, feeds) => {
      if (network === 'vaeEncoder' && (feeds['pixels']?.dims[0] ?? 0) > 2) throw new Error('Failed to allocate memory for requested buffer')
    },
  })
  const all = [1, 2, 3, 4, 5].map((value) => engine.generate(request(`${value}`, { initImage: solid(value), strength: 1 }), never))
  t.equal((await Promise.all(all)).length, 5)
  t.ok(runs.filter(({ stage }) => stage === 'encodeImage').every(({ rows }) => rows <= 2))
  await engine.stop()
})

t.test('a VAE of other latents is refused by name before it sees a picture', async (t) => {
  const { engine, runs } = fakeEngine({ maxRows: 16 })
  await t.rejects(engine.generate(request('wide', { initImage: solid(9), strength: 1, vae: 'wide:vae@1' }), never), { code: 'invalidParameter', parameter: 'vae' })
  t.same(runs, [])
  await engine.stop()
})
