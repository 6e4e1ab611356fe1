import t from 'tap'
import { EngineError } from '../../../engine/engine-error.ts'
import type { DecodedRequest, RgbImage } from '../../../engine/core/generation-request.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { fakeEngine, never, request, type BeforeRun } from './fake-model.ts'

/** A promise that a hook resolves. */
function signalled<T = void>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((fulfil) => (resolve = fulfil))
  return { promise, resolve }
}

async function alone(fields: Partial<DecodedRequest>): Promise<RgbImage> {
  const { engine } = fakeEngine()
  const image = await engine.generate(request('alone', fields), never)
  await engine.stop()
  return image
}

const denoiseRuns = (runs: ReturnType<typeof fakeEngine>['runs']) => runs.filter((run) => run.stage === 'denoise')

await t.test('different prompts, steps, guidance and seeds share runs and give the pictures they give alone', async (t) => {
  const variants = [
    { prompt: 'a cat', totalSteps: 4, guidanceScale: 5, seed: 1 },
    { prompt: 'a very long prompt of many chunks', totalSteps: 7, guidanceScale: 1, seed: 2 },
    { prompt: '', negativePrompt: 'a dog in a hat', totalSteps: 2, guidanceScale: 9, seed: 3 },
    { prompt: 'a cat', totalSteps: 1, guidanceScale: 0, clipSkip: 1, seed: 4 },
  ]
  const { engine, runs } = fakeEngine()
  const images = await Promise.all(variants.map((fields, i) => engine.generate(request(`${i}`, fields), never)))
  await engine.stop()
  for (const [i, fields] of variants.entries()) t.same(images[i], await alone(fields), `variant ${i}`)
  t.same(denoiseRuns(runs).map((run) => run.rows), [6, 5, 3, 3, 1, 1, 1], 'one run a step; rows leave when done')
})

await t.test('rows of different sizes and models never share a run', async (t) => {
  const { engine, runs } = fakeEngine()
  const size = { width: 128, height: 64 }
  await Promise.all([
    engine.generate(request('a'), never),
    engine.generate(request('b', size), never),
    engine.generate(request('c', { model: 'fake:2@1' }), never),
    engine.generate(request('d', size), never),
  ])
  await engine.stop()
  const groups = new Set(runs.filter((run) => run.stage !== 'encodePrompt').map((run) => run.generations.join(' ')))
  t.same([...groups].sort(), ['a', 'b d', 'c'])
})

await t.test('a request joins at the next step', async (t) => {
  const thirdStep = signalled()
  let steps = 0
  const before: BeforeRun = async (network) => {
    if (network === 'unet' && ++steps === 3) thirdStep.resolve()
  }
  const { engine, runs } = fakeEngine({ before })
  const first = engine.generate(request('first', { totalSteps: 10 }), never)
  await thirdStep.promise
  await Promise.all([first, engine.generate(request('second', { totalSteps: 2 }), never)])
  await engine.stop()
  const together = denoiseRuns(runs).findIndex((run) => run.generations.includes('second'))
  t.ok(together >= 3 && together <= 5, `joined at run ${together}`)
  t.same(denoiseRuns(runs).map((run) => run.rows).filter((rows) => rows === 4).length, 2, 'shared its two steps')
  t.equal(denoiseRuns(runs).length, 10, 'and cost no run of its own')
})

await t.test('a cancelled generation leaves between two steps and the others do not notice', async (t) => {
  const controller = new AbortController()
  let steps = 0
  const before: BeforeRun = (network) => {
    if (network === 'unet' && ++steps === 2) controller.abort(new Error('the client hung up'))
  }
  const { engine, runs, loader } = fakeEngine({ before })
  const kept = engine.generate(request('kept'), never)
  const cancelled = engine.generate(request('cancelled', { seed: 8 }), controller.signal)
  await t.rejects(cancelled, { message: 'the client hung up' })
  t.same(await kept, await alone({}))
  t.same(denoiseRuns(runs).map((run) => run.rows), [4, 4, 2, 2], 'its rows are free at the next step')
  t.equal(engine.size, 0)
  t.same(loader.held, [], 'and holds no model')
  await engine.stop()
})

await t.test('freed rows are filled and never stay empty while rows of their key wait', async (t) => {
  const { engine, runs } = fakeEngine({ maxRows: 4 })
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  await Promise.all(ids.map((id, i) => engine.generate(request(id, { totalSteps: 2 + i, seed: i }), never)))
  await engine.stop()
  let left = ids.reduce((sum, _, i) => sum + 2 * (2 + i), 0)
  const remaining = new Map(ids.map((id, i) => [id, 2 + i]))
  for (const run of denoiseRuns(runs)) {
    const possible = Math.min(4, 2 * remaining.size)
    t.equal(run.rows, possible, `run with ${left} rows to go is full`)
    left -= run.rows
    for (const id of run.generations) {
      const steps = (remaining.get(id) as number) - 1
      if (steps === 0) remaining.delete(id)
      else remaining.set(id, steps)
    }
  }
  t.equal(left, 0)
})

await t.test('a newcomer gets rows at the next step although one owner has filled them', async (t) => {
  const { engine, runs } = fakeEngine({ maxRows: 4 })
  const greedy = Array.from({ length: 20 }, (_, i) => engine.generate(request(`greedy-${i}`, { owner: 'greedy' }), never))
  const modest = engine.generate(request('modest', { owner: 'modest' }), never)
  await modest
  const runsUntilThen = denoiseRuns(runs).length
  await Promise.all(greedy)
  await engine.stop()
  t.ok(runsUntilThen <= 6, `done after ${runsUntilThen} runs; one owner alone takes 40`)
})

await t.test('owners share the device evenly between batch keys', async (t) => {
  const { engine, runs } = fakeEngine({ maxRows: 2 })
  const many = Array.from({ length: 6 }, (_, i) => engine.generate(request(`many-${i}`, { owner: 'many', totalSteps: 10 }), never))
  const one = engine.generate(request('one', { owner: 'one', model: 'fake:2@1', totalSteps: 10 }), never)
  await one
  const received = denoiseRuns(runs).length
  await Promise.all(many)
  await engine.stop()
  t.ok(received <= 22, `ten steps of the second model took ${received} runs`)
})

await t.test('a generation whose latents are not finite fails alone', async (t) => {
  const { engine } = fakeEngine({ before: (network, feeds) => {
    if (network !== 'unet' || feeds.sample?.dims[0] !== 4) return
    const { data } = feeds.sample as Tensor<'float32'>
    data.fill(NaN, data.length / 2)
  } })
  const [good, bad] = await Promise.allSettled([
    engine.generate(request('good'), never),
    engine.generate(request('bad', { seed: 99 }), never),
  ])
  await engine.stop()
  t.match(bad, { status: 'rejected', reason: { code: 'inferenceError' } })
  t.same(good.status === 'fulfilled' && good.value, await alone({}))
})

/** What tells each row of a run from the others: the token ids of its prompt, or the first value of its latents. */
function rowMarks(feeds: Parameters<BeforeRun>[1]): readonly string[] {
  const { dims, data } = (feeds.input_ids ?? feeds.sample ?? feeds.latents) as Tensor
  const size = data.length / (dims[0] as number)
  return Array.from({ length: dims[0] as number }, (_, row) => {
    const values = data.subarray(row * size, row * size + (dims.length === 2 ? size : 1))
    return values.join(',')
  })
}

await t.test('a run that fails is repeated one generation at a time, so that only the culprit fails', async (t) => {
  const variants = [{}, { seed: 2, prompt: '☠' }, { seed: 3 }]
  for (const stage of ['textEncoder', 'unet', 'vaeDecoder'] as const) {
    let mark: string | undefined
    const { engine: probe } = fakeEngine({ before: (network, feeds) => {
      if (network === stage) mark ??= rowMarks(feeds)[0]
    } })
    await probe.generate(request('probe', variants[1]), never)
    await probe.stop()
    const { engine } = fakeEngine({ before: (network, feeds) => {
      if (network === stage && rowMarks(feeds).includes(mark as string)) throw new Error('kernel failed')
    } })
    const results = await Promise.allSettled(variants.map((fields, i) => engine.generate(request(`${i}`, fields), never)))
    await engine.stop()
    t.same(results.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'], stage)
    t.match(results[1], { reason: { code: 'inferenceError' } })
    for (const i of [0, 2]) {
      const result = results[i]
      t.same(result?.status === 'fulfilled' && result.value, await alone(variants[i]))
    }
  }
})

await t.test('a failing run names the runtime\'s error as its cause', async (t) => {
  const { engine } = fakeEngine({ before: (network) => {
    if (network === 'unet') throw new Error('kernel failed')
  } })
  const error = await engine.generate(request('a'), never).catch((reason: unknown) => reason)
  await engine.stop()
  t.ok(error instanceof EngineError)
  t.match(error, { code: 'inferenceError', cause: { message: 'kernel failed' } })
})

await t.test('a batch that does not fit the memory is split, and stays split', async (t) => {
  for (const limit of [1, 3]) {
    let failures = 0
    const { engine, runs } = fakeEngine({ before: (network, feeds) => {
      if (network === 'unet' && (feeds.timestep as Tensor).data.length > limit) {
        failures += 1
        throw new Error('Failed to allocate memory for requested buffer of size 123')
      }
    } })
    const images = await Promise.all([0, 1, 2, 3].map((seed) => engine.generate(request(`${seed}`, { seed, totalSteps: 3 }), never)))
    await engine.stop()
    for (const [seed, image] of images.entries()) t.same(image, await alone({ seed, totalSteps: 3 }))
    t.ok(Math.max(...denoiseRuns(runs).map((run) => run.rows)) <= limit)
    t.ok(failures <= 3, `learnt from ${failures} failures`)
  }
})

await t.test('a picture that does not fit the memory alone fails as outOfMemory', async (t) => {
  const { engine } = fakeEngine({ before: (network, feeds) => {
    if (network === 'unet' && feeds.sample?.dims[3] === 16) throw new Error('std::bad_alloc')
  } })
  const small = engine.generate(request('small'), never)
  await t.rejects(engine.generate(request('large', { width: 128 }), never), { code: 'outOfMemory' })
  await small
  await engine.stop()
})

await t.test('prompts are encoded once, together, and remembered', async (t) => {
  const { engine, runs } = fakeEngine()
  const encodeRuns = () => runs.filter((run) => run.stage === 'encodePrompt').map(({ rows, generations }) => ({ rows, generations }))
  await Promise.all([engine.generate(request('a'), never), engine.generate(request('b', { prompt: 'a dog' }), never)])
  t.same(encodeRuns(), [{ rows: 3, generations: ['a', 'b'] }], 'two prompts and the empty one they share')
  await engine.generate(request('c', { seed: 4 }), never)
  t.equal(encodeRuns().length, 1, 'nothing new to encode')
  await engine.generate(request('d', { clipSkip: 1 }), never)
  t.equal(encodeRuns().length, 2, 'other layers are other states')
  await engine.stop()
})

await t.test('skipping more layers than the text encoder has is an error that names clipSkip and fails alone', async (t) => {
  const { engine } = fakeEngine()
  const good = engine.generate(request('good'), never)
  await t.rejects(engine.generate(request('bad', { clipSkip: 2 }), never), { code: 'invalidParameter', parameter: 'clipSkip' })
  t.same(await good, await alone({}))
  await engine.stop()
})

await t.test('a model that cannot be loaded fails its generations alone', async (t) => {
  const { engine, loader } = fakeEngine()
  const good = engine.generate(request('good'), never)
  await t.rejects(engine.generate(request('bad', { model: 'broken:1@1' }), never), { message: 'broken:1@1 is broken' })
  await good
  t.same(loader.held, [])
  await engine.stop()
})

await t.test('a generation that waits for its model can be cancelled, and holds the model no longer', async (t) => {
  const gate = signalled()
  const { engine, loader } = fakeEngine({ loadGate: () => gate.promise })
  const controller = new AbortController()
  const first = engine.generate(request('first'), controller.signal)
  const inLine = engine.generate(request('in line', { model: 'fake:2@1' }), controller.signal)
  const kept = engine.generate(request('kept'), never)
  const refused = Promise.all([t.rejects(first, { message: 'gone' }), t.rejects(inLine, { message: 'gone' })])
  await Promise.resolve()
  controller.abort(new Error('gone'))
  await refused
  t.same(loader.held, [], 'the one that is left has not had its turn')
  gate.resolve()
  t.same(await kept, await alone({}))
  await engine.stop()
})

await t.test('stopping does not wait for a model that is being loaded', async (t) => {
  const { engine } = fakeEngine({ loadGate: () => new Promise(() => {}) })
  const waiting = t.rejects(engine.generate(request('a'), never), { code: 'stopped' })
  await engine.stop()
  await waiting
})

await t.test('warming up runs each network of the model once', async (t) => {
  const { engine, runs } = fakeEngine()
  await engine.warmUp('fake:1@1')
  await engine.stop()
  t.same(runs.map((run) => run.stage), ['encodeImage', 'encodePrompt', 'denoise', 'decode'])
})

await t.test('stopping cancels what is inside, releases the models and can be repeated', async (t) => {
  const { engine, loader } = fakeEngine()
  const running = engine.generate(request('a', { totalSteps: 1000 }), never)
  const refused = t.rejects(running, { code: 'stopped' })
  await engine.stop()
  await engine.stop()
  await refused
  t.equal(loader.isReleased, true)
  await t.rejects(engine.generate(request('b'), never), { code: 'stopped' })
})

await t.test('an aborted signal, or an id that is inside, is refused at once', async (t) => {
  const { engine } = fakeEngine()
  await t.rejects(engine.generate(request('a'), AbortSignal.abort(new Error('gone'))), { message: 'gone' })
  const first = engine.generate(request('a'), never)
  await t.rejects(engine.generate(request('a'), never), { message: 'generation a is already in the engine' })
  await first
  await engine.stop()
})
