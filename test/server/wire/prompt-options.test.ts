import t from 'tap'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()

/** Sends a task and returns what the worker was asked to do. */
async function planned(choices: Readonly<Record<string, unknown>>): Promise<TaskRecord['request']> {
  const task = inference(choices)
  client.send(task)
  await client.results(task.taskUUID, 1)
  return (server.worker.claimed.at(-1) as TaskRecord).request
}

async function refusal(choices: Readonly<Record<string, unknown>>): Promise<Item> {
  const task = inference(choices)
  client.send(task)
  return (await client.waitForFrame(isAbout(task.taskUUID))).errors?.[0] ?? {}
}

t.test('vae reaches the engine, and one that is none is refused at once', async t => {
  t.equal((await planned({ vae: 'LOCAL:vae@1' })).vae, 'local:vae@1')
  for (const vae of [undefined, null, '']) t.notOk('vae' in (await planned({ vae })))
  t.match(await refusal({ vae: 'local:none@1' }), { code: 'modelNotFound', parameter: 'vae', allowedValues: ['local:vae@1'] })
  t.match(await refusal({ vae: 'local:test@1' }), { code: 'invalidVae', parameter: 'vae', message: /must be a vae, got local:test@1, which is of type checkpoint/ })
  t.match(await refusal({ vae: 'no air' }), { code: 'invalidVae', parameter: 'vae' })
})
