import t from 'tap'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()
const guideImage = onePixelPng.toString('base64')
const net = { model: 'local:edges@1', guideImage }

async function planned(choices: Readonly<Record<string, unknown>>): Promise<TaskRecord['request']> {
  const task = inference(choices)
  client.send(task)
  await client.results(task.taskUUID, 1)
  return (server.worker.claimed.at(-1) as TaskRecord).request
}

/** What the engine is asked for by one object of the list. */
async function use(choices: Readonly<Record<string, unknown>>, steps = 20): Promise<unknown> {
  return (await planned({ steps, controlNet: [{ ...net, ...choices }] })).controlNets?.[0]
}

async function refusal(controlNet: unknown, choices: Readonly<Record<string, unknown>> = {}): Promise<Item> {
  const task = inference({ steps: 20, controlNet, ...choices })
  client.send(task)
  return (await client.waitForFrame(isAbout(task.taskUUID))).errors?.[0] ?? {}
}

t.test('model, weight and controlMode reach the engine; absent and null give the defaults', async t => {
  const defaults = { model: 'local:edges@1', weight: 1, start: 0, end: 1, controlMode: 'balanced' }
  t.match(await use({}), defaults)
  t.match(await use({ model: 'LOCAL:edges@1', weight: null, startStep: null, endStep: null, startStepPercentage: null, endStepPercentage: null, controlMode: null }), defaults)
  t.match(await use({ weight: 0 }), { weight: 0 })
  t.match(await use({ weight: 0.4 }), { weight: 0.4 })
  for (const [wire, mode] of [['prompt', 'prompt'], ['balanced', 'balanced'], ['controlnet', 'controlNet'], ['ControlNet', 'controlNet']]) {
    t.match(await use({ controlMode: wire }), { controlMode: mode }, wire)
  }
  for (const controlNet of [undefined, null, [], [{}], [{ model: null, guideImage: null, weight: null }]]) t.notOk('controlNets' in (await planned({ controlNet })))
  t.match((await planned({ controlNet: [net, { ...net, model: 'local:depth@1', weight: 0.5 }, net] })).controlNets, [{ model: 'local:edges@1' }, { model: 'local:depth@1', weight: 0.5 }, { model: 'local:edges@1' }])
})

t.test('startStep and endStep count from 1, the percentages are shares, and each may stand beside the other kind', async t => {
  t.match(await use({ startStep: 1, endStep: 20 }), { start: 0, end: 1 })
  t.match(await use({ startStep: 6 }), { start: 0.25, end: 1 })
  t.match(await use({ endStep: 5 }), { start: 0, end: 0.25 })
  t.match(await use({ startStepPercentage: 30, endStepPercentage: 75 }), { start: 0.3, end: 0.75 })
  t.match(await use({ startStepPercentage: 0 }), { start: 0, end: 1 })
  t.match(await use({ startStep: 6, endStepPercentage: 60 }), { start: 0.25, end: 0.6 })
})

t.test('guideImage takes every form of a picture, and what came inside the task is stored', async t => {
  const stored = (await use({})) as { readonly guideImage: { readonly imageUUID: string } }
  t.match(stored.guideImage, { type: 'stored', imageUUID: String })
  t.same((await server.images.read(stored.guideImage.imageUUID))?.bytes, onePixelPng)
  t.match(await use({ guideImage: `data:image/png;base64,${guideImage}` }), { guideImage: { type: 'stored' } })
  t.match(await use({ guideImage: stored.guideImage.imageUUID }), { guideImage: { type: 'stored', imageUUID: stored.guideImage.imageUUID } })
  t.match(await use({ guideImage: 'https://pictures.example/edges.png' }), { guideImage: { type: 'url', url: 'https://pictures.example/edges.png' } })
  t.match(await refusal([net, { ...net, guideImage: 'bm8gcGljdHVyZQ==' }]), { code: 'invalidControlNet', parameter: 'controlNet[1].guideImage' })
  t.match(await refusal([{ ...net, guideImage: 'ftp://x/y.png' }]), { code: 'invalidControlNet', parameter: 'controlNet[0].guideImage' })
  t.match(await refusal([{ ...net, guideImage: '' }]), { code: 'invalidControlNet', parameter: 'controlNet[0].guideImage', message: /got nothing/ })
})

t.test('what cannot be is refused at once by its place', async t => {
  const about = (parameter: string, code = 'invalidControlNet') => ({ code, parameter })
  t.match(await refusal([net, { guideImage }]), about('controlNet[1].model'))
  t.match(await refusal([{ ...net, model: 'local:none@1' }]), { ...about('controlNet[0].model', 'modelNotFound'), allowedValues: ['local:edges@1', 'local:depth@1', 'local:xl-edges@1'] })
  t.match(await refusal([{ ...net, model: 'local:test@1' }]), { ...about('controlNet[0].model'), message: /must be a controlnet, got local:test@1, which is of type checkpoint/ })
  t.match(await refusal([net, { ...net, model: 'local:xl-edges@1' }]), { ...about('controlNet[1].model'), message: /must be a ControlNet for sd1 checkpoints .*, got local:xl-edges@1, which is for sdxl/ })
  t.match(await refusal([{ ...net, weight: 1.01 }]), { ...about('controlNet[0].weight'), min: 0, max: 1 })
  t.match(await refusal([{ ...net, weight: -0.1 }]), about('controlNet[0].weight'))
  t.match(await refusal([{ ...net, controlMode: 'both' }]), { ...about('controlNet[0].controlMode'), allowedValues: ['prompt', 'balanced', 'controlnet'] })
  t.match(await refusal([{ ...net, startStep: 0 }]), about('controlNet[0].startStep'))
  t.match(await refusal([{ ...net, startStep: 21 }]), { ...about('controlNet[0].startStep'), max: 20 })
  t.match(await refusal([{ ...net, endStep: 21 }]), { ...about('controlNet[0].endStep'), max: 20 })
  t.match(await refusal([{ ...net, startStep: 5, endStep: 5 }]), about('controlNet[0].endStep'))
  t.match(await refusal([{ ...net, startStepPercentage: 50, endStepPercentage: 50 }]), about('controlNet[0].endStepPercentage'))
  t.match(await refusal([{ ...net, startStepPercentage: 100 }]), about('controlNet[0].startStepPercentage'))
  t.match(await refusal([{ ...net, endStepPercentage: 0 }]), about('controlNet[0].endStepPercentage'))
  t.match(await refusal([{ ...net, startStep: 2, startStepPercentage: 10 }]), about('controlNet[0].startStepPercentage'))
  t.match(await refusal([{ ...net, endStep: 4, endStepPercentage: 10 }]), about('controlNet[0].endStepPercentage'))
  t.match(await refusal(new Array(9).fill(net)), about('controlNet'))
  t.match(await refusal(net), about('controlNet'))
  t.match(await refusal(['local:edges@1']), about('controlNet[0]'))
})
