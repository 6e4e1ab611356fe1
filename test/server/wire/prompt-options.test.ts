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

t.test('I17 promptWeighting reaches the engine in either spelling, and the empty text is nothing', async t => {
  for (const [sent, meant] of [['compel', 'compel'], ['sdEmbeds', 'sdEmbeds'], ['sdembeds', 'sdEmbeds'], ['COMPEL', 'compel']] as const) {
    t.equal((await planned({ promptWeighting: sent })).promptWeighting, meant)
  }
  for (const promptWeighting of [undefined, null, '']) t.notOk('promptWeighting' in (await planned({ promptWeighting })))
  t.match(await refusal({ promptWeighting: 'a1111' }), { code: 'invalidPromptWeighting', parameter: 'promptWeighting', allowedValues: ['compel', 'sdEmbeds'] })
})

t.test('embeddings reach the engine with their weights, and one that is none is refused by its place', async t => {
  t.same((await planned({ embeddings: [{ model: 'LOCAL:star@1' }, { model: 'local:star@1', weight: -1.5 }] })).embeddings, [
    { model: 'local:star@1', weight: 1 }, { model: 'local:star@1', weight: -1.5 },
  ])
  for (const embeddings of [undefined, null, []]) t.notOk('embeddings' in (await planned({ embeddings })))
  const star = { model: 'local:star@1' }
  for (const [embeddings, error] of [
    [[star, { model: 'local:none@1' }], { code: 'modelNotFound', parameter: 'embeddings[1].model', allowedValues: ['local:star@1'] }],
    [[{ model: 'local:vae@1' }], { code: 'invalidEmbeddings', parameter: 'embeddings[0].model', message: /must be an embedding, got local:vae@1, which is of type vae/ }],
    [[{ ...star, weight: 5 }], { code: 'invalidEmbeddings', parameter: 'embeddings[0].weight', min: -4, max: 4 }],
    [[{ weight: 1 }], { code: 'invalidEmbeddings', parameter: 'embeddings[0].model' }],
    ['star', { code: 'invalidEmbeddings', parameter: 'embeddings' }],
  ] as const) t.match(await refusal({ embeddings }), error)
})

t.test('clipSkip reaches the engine, and one out of range is refused', async t => {
  t.equal((await planned({ clipSkip: 2 })).clipSkip, 2)
  for (const clipSkip of [undefined, null, 0]) t.equal((await planned({ clipSkip })).clipSkip, 0)
  for (const clipSkip of [3, -1, 0.5]) t.match(await refusal({ clipSkip }), { code: 'invalidClipSkip', parameter: 'clipSkip', min: 0, max: 2 })
})

t.test('steps that a noise scheduler cannot do are refused at once, as the worker would refuse them', async t => {
  const model = 'local:sized@1'
  for (const [scheduler, steps, message] of [
    ['LCM', 60, /^steps: expected 1 to 50 steps with LCM, got 60\.$/],
    ['PNDM', 3, /^steps: expected at least 4 steps with PNDM/],
    ['Default', 3, /^steps: expected at least 4 steps with PNDM/],
  ] as const) t.match(await refusal({ model, scheduler, steps }), { code: 'invalidSteps', parameter: 'steps', message })
  for (const [scheduler, steps] of [['LCM', 50], ['PNDM', 4], ['Euler', 3], ['Default', 20]] as const) {
    t.equal((await planned({ model, scheduler, steps })).totalSteps, steps)
  }
})
