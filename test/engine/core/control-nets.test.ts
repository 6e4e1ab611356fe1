import t from 'tap'
import type { ControlNetUse, RgbImage } from '../../../engine/core/generation-request.ts'
import { fakeEngine, never, request } from './fake-model.ts'

function use(model: string, level = 255, change: Partial<ControlNetUse<RgbImage>> = {}): ControlNetUse<RgbImage> {
  const guideImage = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(level) }
  return { model, guideImage, weight: 1, start: 0, end: 1, controlMode: 'balanced', ...change }
}

/** An engine whose UNet runs are told with the number of their ControlNets. */
function watchedEngine() {
  const slots: number[] = []
  const { engine, runs, loader } = fakeEngine({
    before: (network, feeds) => {
      if (network === 'unet') slots.push(Object.keys(feeds).filter((name) => name.startsWith('control_scale_')).length)
    },
  })
  /** The generations of each UNet run, and its ControlNets. */
  const unetRuns = () => runs.filter(({ stage }) => stage === 'denoise').map(({ generations }, i) => ({ generations, slots: slots[i] }))
  return { engine, loader, unetRuns }
}

await t.test('rows with the same ControlNets share runs, in whatever order they are named; other rows do not join them', async (t) => {
  const { engine, unetRuns } = watchedEngine()
  const requests = [
    request('ab', { controlNets: [use('a:1@1'), use('b:1@1')] }),
    request('ba', { controlNets: [use('B:1@1', 9), use('a:1@1', 7, { controlMode: 'prompt' })] }),
    request('a', { controlNets: [use('a:1@1')] }),
    request('plain'),
    request('plain too'),
  ].map((each) => ({ ...each, totalSteps: 9 }))
  await Promise.all(requests.map((each) => engine.generate(each, never)))
  const shared = (id: string) => new Set(unetRuns().filter(({ generations }) => generations.includes(id)).flatMap(({ generations }) => generations))
  t.same([...shared('ab')].sort(), ['ab', 'ba'])
  t.same([...shared('a')], ['a'])
  t.same([...shared('plain')].sort(), ['plain', 'plain too'])
  t.ok(unetRuns().every(({ generations, slots }) => slots === (generations[0]?.includes('b') ? 2 : generations[0] === 'a' ? 1 : 0)))
  t.ok(unetRuns().filter(({ generations }) => generations.length === 2).length >= 16, 'nearly all steps of the pairs are shared')
  await engine.stop()
})

await t.test('in steps where no ControlNet has a say a row runs with those that have none', async (t) => {
  const { engine, unetRuns } = watchedEngine()
  const late = request('late', { totalSteps: 8, guidanceScale: 1, controlNets: [use('a:1@1', 255, { start: 0.5 })] })
  const none = request('none', { totalSteps: 8, guidanceScale: 1, controlNets: [use('a:1@1', 255, { weight: 0 })] })
  await Promise.all([late, none, request('plain', { totalSteps: 8, guidanceScale: 1 })].map((each) => engine.generate(each, never)))
  const runsOf = (id: string) => unetRuns().filter(({ generations }) => generations.includes(id))
  t.same(runsOf('late').map(({ slots }) => slots), [0, 0, 0, 0, 1, 1, 1, 1])
  t.ok(runsOf('late').slice(0, 4).some(({ generations }) => generations.length === 3))
  t.ok(runsOf('none').every(({ slots }) => slots === 0))
  await engine.stop()
})

await t.test('a picture under ControlNets is the same alone and beside others', async (t) => {
  const requests = [
    request('one', { controlNets: [use('a:1@1', 200), use('b:1@1', 30, { end: 0.5 })] }),
    request('other order', { controlNets: [use('b:1@1', 30, { end: 0.5 }), use('a:1@1', 200)] }),
    request('twice', { controlNets: [use('a:1@1', 200), use('a:1@1', 10, { controlMode: 'controlNet' })] }),
    request('unguided', { guidanceScale: 1, controlNets: [use('a:1@1', 90, { controlMode: 'controlNet', start: 0.3 })] }),
    request('plain'),
  ].map((each, seed) => ({ ...each, totalSteps: 10, seed: seed < 2 ? 0 : seed }))
  const alone = []
  for (const each of requests) {
    const { engine } = fakeEngine()
    alone.push(await engine.generate(each, never))
    await engine.stop()
  }
  const { engine, loader } = fakeEngine()
  t.same(await Promise.all(requests.map((each) => engine.generate(each, never))), alone)
  t.same(alone[0], alone[1], 'their order means nothing')
  t.equal(new Set(alone.map(({ data }) => Buffer.from(data).toString('base64'))).size, 4)
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('a ControlNet that cannot be loaded is an error that names its place in the request, and holds nothing', async (t) => {
  const { engine, loader } = fakeEngine()
  const bad = engine.generate(request('bad', { controlNets: [use('z:1@1'), use('broken:1@1'), use('a:1@1')] }), never)
  await t.rejects(bad, { name: 'EngineError', code: 'invalidParameter', parameter: 'controlNets[1].model', message: /^controlNets\[1\]\.model: broken:1@1 is broken/ })
  t.same(loader.held, [])
  await engine.stop()
})
