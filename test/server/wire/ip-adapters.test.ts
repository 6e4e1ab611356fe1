import t from 'tap'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()

async function planned(ipAdapters: unknown): Promise<TaskRecord['request']> {
  const task = inference({ ipAdapters })
  client.send(task)
  await client.results(task.taskUUID, 1)
  return (server.worker.claimed.at(-1) as TaskRecord).request
}

async function refusal(ipAdapters: unknown): Promise<Item> {
  const task = inference({ ipAdapters })
  client.send(task)
  return (await client.waitForFrame(isAbout(task.taskUUID))).errors?.[0] ?? {}
}

t.test('ipAdapters reaches the engine with its guide images and weights', async t => {
  const model = 'LOCAL:adapter@1'
  const { ipAdapters } = await planned([{ model, guideImage: 'https://example.com/a.png', weight: 0.4 }, { model, guideImage: 'https://example.com/b.png' }])
  t.same(ipAdapters, [
    { model: 'local:adapter@1', guideImage: { type: 'url', url: 'https://example.com/a.png' }, weight: 0.4 },
    { model: 'local:adapter@1', guideImage: { type: 'url', url: 'https://example.com/b.png' }, weight: 1 },
  ])
  for (const nothing of [undefined, null, []]) t.notOk('ipAdapters' in (await planned(nothing)))
})

t.test('what cannot be used is refused at once, with the place of the value', async t => {
  const model = 'local:adapter@1'
  const use = { model, guideImage: 'https://example.com/a.png' }
  const code = 'invalidIpAdapters'
  t.match(await refusal([use, { ...use, model: 'local:none@1' }]), { code: 'modelNotFound', parameter: 'ipAdapters[1].model' })
  t.match(await refusal([{ ...use, model: 'local:lora@1' }]), { code, parameter: 'ipAdapters[0].model', message: /which is of type lora/ })
  t.match(await refusal([{ ...use, model: 'local:xladapter@1' }]), { code, parameter: 'ipAdapters[0].model', message: /which is for sdxl checkpoints/ })
  t.match(await refusal([{ ...use, weight: 1.5 }]), { code, parameter: 'ipAdapters[0].weight', max: 1 })
  t.match(await refusal([{ model }]), { code, parameter: 'ipAdapters[0].guideImage' })
  t.match(await refusal([{ ...use, guideImage: 'ftp://example.com/a.png' }]), { code, parameter: 'ipAdapters[0].guideImage' })
  t.match(await refusal('all'), { code, parameter: 'ipAdapters' })
})
