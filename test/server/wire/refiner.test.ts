import t from 'tap'
import type { TaskRecord } from '../../../server/queue/task-record.ts'
import type { Item } from '../../helpers/wire-client.ts'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()
const base = { model: 'local:xl@1', steps: 20 }

/** Sends a task with a refiner and returns which one the engine was asked for, and from which step. */
async function planned(refiner: unknown, choices: Readonly<Record<string, unknown>> = base): Promise<TaskRecord['request']['refiner']> {
  const task = inference({ ...choices, refiner })
  client.send(task)
  await client.results(task.taskUUID, 1)
  return (server.worker.claimed.at(-1) as TaskRecord).request.refiner
}

async function refusal(refiner: unknown, choices: Readonly<Record<string, unknown>> = base): Promise<Item> {
  const task = inference({ ...choices, refiner })
  client.send(task)
  return (await client.waitForFrame(isAbout(task.taskUUID))).errors?.[0] ?? {}
}

t.test('a refiner begins at its step, or where its share of the steps is over, by default four fifths', async t => {
  const model = 'local:refiner@1'
  const cases: readonly (readonly [object, number, number])[] = [
    [{ startStep: 2 }, 20, 2], [{ startStep: 20 }, 20, 20], [{}, 20, 17], [{ startStepPercentage: 50 }, 20, 11],
    [{ startStepPercentage: 1 }, 20, 2], [{ startStepPercentage: 99 }, 20, 20], [{ startStepPercentage: 99 }, 2, 2], [{ startStepPercentage: 33 }, 10, 5],
  ]
  for (const [given, steps, startStep] of cases) {
    t.same(await planned({ model: 'LOCAL:refiner@1', ...given }, { ...base, steps }), { model, startStep }, `${JSON.stringify(given)} of ${steps}`)
  }
  t.same(await planned({ model: 'local:xl@1' }), { model: 'local:xl@1', startStep: 17 }, 'another SDXL checkpoint may refine too')
  for (const nothing of [undefined, null]) t.equal(await planned(nothing), undefined)
})

t.test('what cannot refine is refused by name', async t => {
  const model = 'local:refiner@1'
  t.match(await refusal({ model: 'local:test@1' }), { code: 'invalidRefiner', parameter: 'refiner.model', message: /local:test@1 of family sd1 for local:xl@1/ })
  t.match(await refusal({ model }, { model: 'local:test@1' }), { code: 'invalidRefiner', parameter: 'refiner.model', message: /for local:test@1 of family sd1/ })
  t.match(await refusal({ model: 'local:xl-inpaint@1' }), { code: 'invalidRefiner', parameter: 'refiner.model', message: /not trained for inpainting.*local:xl-inpaint@1/ })
  t.match(await refusal({ model: 'local:vae@1' }), { code: 'invalidRefiner', parameter: 'refiner.model' })
  t.match(await refusal({ model: 'local:none@1' }), { code: 'modelNotFound', parameter: 'refiner.model' })
  t.match(await refusal({}), { parameter: 'refiner.model' })
  t.match(await refusal('local:refiner@1'), { code: 'invalidRefiner', parameter: 'refiner' })
  t.match(await refusal({ model, startStep: 21 }), { code: 'invalidRefiner', parameter: 'refiner.startStep', min: 2, max: 20 })
  t.match(await refusal({ model, startStep: 1 }), { code: 'invalidRefiner', parameter: 'refiner.startStep' })
  t.match(await refusal({ model, startStepPercentage: 100 }), { code: 'invalidRefiner', parameter: 'refiner.startStepPercentage' })
  t.match(await refusal({ model, startStep: 3, startStepPercentage: 20 }), { code: 'invalidRefiner', parameter: 'refiner.startStepPercentage' })
  t.match(await refusal({ model }, { ...base, steps: 1 }), { code: 'invalidSteps', parameter: 'steps' })
})

t.test('a ControlNet that would have no step before the refiner is refused by its start', async t => {
  const refiner = { model: 'local:refiner@1', startStep: 11 }
  const controlled = (window: object) => ({ ...base, controlNet: [{ model: 'local:xl-edges@1', guideImage: onePixelPng.toString('base64'), ...window }] })
  for (const window of [{}, { startStep: 10 }, { startStepPercentage: 49 }, { startStep: 2, endStep: 20 }]) {
    t.match(await planned(refiner, controlled(window)), { startStep: 11 }, JSON.stringify(window))
  }
  const code = 'invalidControlNet'
  t.match(await refusal(refiner, controlled({ startStep: 11 })), { code, parameter: 'controlNet[0].startStep', message: /before the refiner's first step, 11/ })
  t.match(await refusal(refiner, controlled({ startStepPercentage: 50 })), { code, parameter: 'controlNet[0].startStepPercentage' })
})
