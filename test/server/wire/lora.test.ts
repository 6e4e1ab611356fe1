import t from 'tap'
import { EngineError } from '../../../engine/index.ts'
import { toErrorBody } from '../../../server/worker/error-mapping.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'
import type { Item } from '../../helpers/wire-client.ts'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()

/** Sends a task and returns what the worker was asked to do. */
async function planned(lora: unknown): Promise<TaskRecord['request']> {
  const task = inference({ lora })
  client.send(task)
  await client.results(task.taskUUID, 1)
  return (server.worker.claimed.at(-1) as TaskRecord).request
}

async function refusal(lora: unknown): Promise<Item> {
  const task = inference({ lora })
  client.send(task)
  return (await client.waitForFrame(isAbout(task.taskUUID))).errors?.[0] ?? {}
}

t.test('lora: model and weight of each reach the engine, 1 where nothing is said', async t => {
  const { loras } = await planned([
    { model: 'local:lora@1' }, { model: 'LOCAL:Lora@1', weight: -4 }, { model: 'local:lora@1', weight: 0.25, strength: 3 }, { model: 'local:lora@1', weight: null },
  ])
  t.same(loras, [1, -4, 0.25, 1].map(weight => ({ model: 'local:lora@1', weight })))
  for (const none of [[], null, undefined]) t.notOk('loras' in (await planned(none)))
})

t.test('lora: what cannot be one is refused by its place', async t => {
  t.match(await refusal([{ model: 'local:lora@1' }, { model: 'local:none@1' }]), {
    code: 'modelNotFound', parameter: 'lora[1].model', allowedValues: ['local:lora@1'], message: /local:none@1/,
  })
  t.match(await refusal([{ model: 'local:vae@1' }]), {
    code: 'invalidLora', parameter: 'lora[0].model', message: 'lora[0].model must be a lora, got local:vae@1, which is of type vae.',
  })
  t.match(await refusal([{ model: 'local:broken@1' }]), { code: 'modelUnavailable', parameter: 'lora[0].model' })
  t.match(await refusal([{ model: 'no air' }]), { code: 'invalidLora', parameter: 'lora[0].model' })
  t.match(await refusal([{ weight: 1 }]), { code: 'invalidLora', parameter: 'lora[0].model' })
  for (const weight of [4.01, -5, '1', true]) {
    t.match(await refusal([{ model: 'local:lora@1', weight }]), { code: 'invalidLora', parameter: 'lora[0].weight', min: -4, max: 4, default: 1 })
  }
  t.match(await refusal([7]), { code: 'invalidLora', parameter: 'lora[0]' })
  for (const whole of ['local:lora@1', { model: 'local:lora@1' }, Array.from({ length: 21 }, () => ({ model: 'local:lora@1' }))]) {
    t.match(await refusal(whole), { code: 'invalidLora', parameter: 'lora' })
  }
})

t.test('a LoRA that the engine cannot use is named by its place', async t => {
  const error = new EngineError('invalidParameter', 'loras[2].model: the model local:a@1 cannot be loaded: its key "k" fits nothing', { parameter: 'loras[2].model' })
  t.match(toErrorBody(error, { taskType: 'imageInference', taskUUID: 'u' }), {
    code: 'invalidLora', parameter: 'lora[2].model', message: 'lora[2].model: the model local:a@1 cannot be loaded: its key "k" fits nothing.',
  })
})
