import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import { StepLoopEngine } from '../../../engine/core/step-loop-engine.ts'
import type { LoadedModel } from '../../../engine/models/loaded-model.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { createPipeline as createStableDiffusion } from '../../../engine/pipelines/create-pipeline.ts'
import { EmbedsCache } from '../../../engine/pipelines/embeds-cache.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { referenceEngine, referenceRegistry } from '../pipelines/reference-pictures.ts'
import { never, request } from './fake-model.ts'

// A second on two idle cores, more where others compute too.
t.setTimeout(120_000)

/** Bytes that the larger of two models takes: room for one of them at a time. */
async function roomForOne(models: readonly string[]): Promise<number> {
  const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
  const loader = createModelLoader({ registry: await referenceRegistry(), runtime, weightsBudgetBytes: 1e9 })
  const sizes: number[] = []
  for (const model of models) sizes.push((await loader.load(model)).byteLength)
  await loader.release()
  return Math.max(...sizes)
}

await t.test('a model that needs the room of another is loaded although newcomers ask for the other one all the time', async (t) => {
  const [busy, wanted] = ['local:sd1-tiny@1', 'local:sd2-tiny@1'] as const
  const engine = await referenceEngine({ weightsBudgetBytes: await roomForOne([busy, wanted]) })
  const ask = (id: string, model: string, fields: Partial<GenerationRequest> = {}) =>
    engine.generate(request(id, { model, noiseScheduler: 'Euler', totalSteps: 3, ...fields }), never)
  let isDone = false
  const stream = async (name: string) => {
    let count = 0
    while (!isDone && count < 200) await ask(`${name}-${count++}`, busy)
    return count
  }
  const streams = [stream('a'), stream('b')]
  await ask('first', busy)
  const image = await ask('wanted', wanted)
  isDone = true
  const counts = await Promise.all(streams)
  await engine.stop()
  t.equal(image.width, 64)
  t.ok(Math.max(...counts) < 200, `served after ${counts.join(' and ')} pictures of the streams`)
})

await t.test('models that do not fit beside one another are opened once for all that wait, not once for each', async (t) => {
  const models = ['local:sd1-tiny@1', 'local:sd2-tiny@1'] as const
  const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
  const loader = createModelLoader({ registry: await referenceRegistry(), runtime, weightsBudgetBytes: await roomForOne(models) })
  const opened: string[] = []
  const load = loader.load.bind(loader)
  loader.load = (air) => {
    if (!loader.loaded().includes(air)) opened.push(air)
    return load(air)
  }
  const createPipeline = (model: LoadedModel) => createStableDiffusion(model, { cache: new EmbedsCache(0), roundRank: (rank) => rank, nowMs: () => 0 })
  const engine = new StepLoopEngine({ device: { type: 'cpu' }, loader, createPipeline, maxRows: 8 })
  const ask = (_: unknown, i: number) => engine.generate({ ...request(String(i)), model: models[i % 2] as string, noiseScheduler: 'Euler', totalSteps: 2 }, never)
  await Promise.all(Array.from({ length: 10 }, ask))
  await engine.stop()
  const [first, second] = models
  t.same(opened, [first, second, first], 'the first one was alone when it came')
})
