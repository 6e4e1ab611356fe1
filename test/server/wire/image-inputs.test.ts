import { randomUUID } from 'node:crypto'
import t from 'tap'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { inference, isAbout, keyB, startTestGateway } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()
const base64 = onePixelPng.toString('base64')
const uuid = randomUUID()

/** Sends a task and returns the request that a worker got. */
async function requestOf(choices: Readonly<Record<string, unknown>>) {
  const task = inference(choices)
  client.send(task)
  await client.results(task.taskUUID, 1)
  const record = server.worker.claimed.find(claimed => claimed.taskUUID === task.taskUUID)
  if (!record) throw new Error('no worker got the task')
  return record.request
}

async function refusal(choices: Readonly<Record<string, unknown>>): Promise<Item> {
  const task = inference(choices)
  client.send(task)
  const { errors } = await client.waitForFrame(isAbout(task.taskUUID))
  t.match(errors?.[0], { taskUUID: task.taskUUID, taskType: 'imageInference', message: String }, JSON.stringify(choices))
  return errors?.[0] ?? {}
}

t.test('I15 seedImage and maskImage are taken at the top and under inputs, in every form', async t => {
  const forms = [
    [uuid, { type: 'stored', imageUUID: uuid }],
    ['https://pictures.example.org/a.png', { type: 'url', url: 'https://pictures.example.org/a.png' }],
    [`${server.httpUrl}/images/${uuid}.png`, { type: 'stored', imageUUID: uuid }],
    [base64, { type: 'stored', imageUUID: String }],
    [`data:image/png;base64,${base64}`, { type: 'stored', imageUUID: String }],
  ] as const
  for (const [text, reference] of forms) {
    t.match(await requestOf({ seedImage: text }), { initImage: reference })
    t.match(await requestOf({ inputs: { seedImage: text } }), { initImage: reference })
    t.match(await requestOf({ seedImage: uuid, maskImage: text }), { initImage: { imageUUID: uuid }, mask: reference })
    t.match(await requestOf({ inputs: { seedImage: uuid, maskImage: text } }), { mask: reference })
  }
})

t.test('a picture inside a task is in the store, private and for a short time, and the queued task is small', async t => {
  const request = await requestOf({ seedImage: base64 })
  const stored = await server.images.read((request.initImage as { readonly imageUUID: string }).imageUUID)
  t.match(stored?.image, { account: 'a', format: 'PNG', expiresAt: server.clock.wallNow() + 60_000 })
  t.ok(stored && onePixelPng.equals(stored.bytes))
  t.ok(JSON.stringify(request).length < 1000)
})

t.test('strength, maskMargin, outpaint and outpainting reach the engine; what asks for nothing does not', async t => {
  t.match(await requestOf({ seedImage: uuid }), { strength: 0.8 })
  t.match(await requestOf({ seedImage: uuid, strength: 0 }), { strength: 0 })
  t.match(await requestOf({ seedImage: uuid, strength: 1.0 }), { strength: 1 })
  t.match(await requestOf({ seedImage: uuid, maskImage: uuid, maskMargin: 32, strength: 0.25 }), { maskMargin: 32, strength: 0.25 })
  for (const name of ['outpaint', 'outpainting']) {
    const outpainting = { top: 64, right: 0, bottom: 0, left: 128, blur: 0 }
    t.match(await requestOf({ seedImage: uuid, [name]: { top: 64, left: 128 } }), { outpainting, strength: 1 })
    t.match(await requestOf({ seedImage: uuid, strength: 0.5, [name]: { top: 64, left: 128, right: null, blur: 32 } }), { outpainting: { blur: 32 }, strength: 0.5 })
  }
  const plain = await requestOf({ strength: 0, seedImage: '', maskImage: null, maskMargin: null, outpaint: {}, outpainting: { top: 0, blur: 0 }, inputs: { seedImage: null } })
  for (const field of ['initImage', 'strength', 'mask', 'maskMargin', 'outpainting']) t.notOk(field in plain, field)
})

t.test('values out of range are refused by name', async t => {
  const cases = [
    [{ seedImage: uuid, strength: 1.1 }, 'strength', 'invalidStrength'], [{ seedImage: uuid, strength: -0.1 }, 'strength', 'invalidStrength'],
    [{ seedImage: uuid, maskImage: uuid, maskMargin: 31 }, 'maskMargin', 'invalidMaskMargin'], [{ seedImage: uuid, maskImage: uuid, maskMargin: 129 }, 'maskMargin', 'invalidMaskMargin'],
    [{ seedImage: uuid, outpaint: { top: 32 } }, 'outpaint.top', 'invalidOutpaint'], [{ seedImage: uuid, outpaint: { top: 64, blur: 33 } }, 'outpaint.blur', 'invalidOutpaint'],
    [{ seedImage: uuid, outpainting: { left: -64 } }, 'outpainting.left', 'invalidOutpainting'], [{ seedImage: uuid, outpaint: { blur: 5 } }, 'outpaint', 'invalidOutpaint'],
    [{ seedImage: 7 }, 'seedImage', 'invalidSeedImage'], [{ seedImage: 'file:///etc/passwd' }, 'seedImage', 'invalidSeedImage'],
    [{ seedImage: 'no base64!' }, 'seedImage', 'invalidSeedImage'], [{ seedImage: Buffer.from('GIF89a').toString('base64') }, 'seedImage', 'invalidSeedImage'],
    [{ seedImage: uuid, maskImage: 'no base64!' }, 'maskImage', 'invalidMaskImage'], [{ seedImage: uuid, maskImage: 'ftp://x/y' }, 'maskImage', 'invalidMaskImage'],
    [{ inputs: { seedImage: [] } }, 'inputs.seedImage', 'invalidInputs'],
  ] as const
  for (const [choices, parameter, code] of cases) t.match(await refusal(choices), { parameter, code }, JSON.stringify(choices))
})

t.test('what is about a picture needs one, and what excludes each other is refused', async t => {
  const cases = [
    [{ strength: 0.5 }, 'seedImage', 'missingSeedImage', /with strength/], [{ maskImage: uuid }, 'seedImage', 'missingSeedImage', /with maskImage/],
    [{ maskMargin: 64 }, 'seedImage', 'missingSeedImage', /with maskMargin/], [{ outpaint: { top: 64 } }, 'seedImage', 'missingSeedImage', /with outpaint/],
    [{ seedImage: uuid, maskMargin: 64 }, 'maskImage', 'missingMaskImage', /with maskMargin/],
    [{ seedImage: uuid, maskImage: uuid, outpaint: { top: 64 } }, 'maskImage', 'incompatibleParameters', /outpaint/],
    [{ seedImage: uuid, outpaint: { top: 64 }, maskMargin: 64 }, 'maskMargin', 'incompatibleParameters', /outpaint/],
    [{ seedImage: uuid, inputs: { seedImage: uuid } }, 'seedImage', 'incompatibleParameters', /inputs\.seedImage/],
    [{ seedImage: uuid, outpaint: { top: 64 }, outpainting: { left: 64 } }, 'outpaint', 'incompatibleParameters', /outpainting/],
    [{ seedImage: uuid, outpaint: { top: 64 }, width: null }, 'width', 'missingWidth', /extensions/], [{ seedImage: uuid, outpaint: { top: 64 }, height: null }, 'height', 'missingHeight', /extensions/],
    [{ inputs: { referenceImages: [uuid] } }, 'inputs.referenceImages', 'unsupportedParameter', /not supported/],
  ] as const
  for (const [choices, parameter, code, message] of cases) t.match(await refusal(choices), { parameter, code, message }, JSON.stringify(choices))
})

t.test('an account that sends too much is told so by name, and others go on', async t => {
  const picture = (fill: number) => Buffer.concat([onePixelPng.subarray(0, 8), Buffer.alloc(2 ** 20 - 8, fill)]).toString('base64')
  for (let i = 1; i <= 3; i++) await requestOf({ seedImage: picture(i) })
  t.match(await refusal({ seedImage: picture(9) }), { code: 'rateLimitExceeded', parameter: 'seedImage' })
  const other = await server.login(keyB)
  const task = inference({ seedImage: picture(9) })
  other.send(task)
  t.equal((await other.results(task.taskUUID, 1)).length, 1)
})
