import t from 'tap'
import type { Test } from 'tap'
import { inference, isAbout, keyA, keyB, startTestGateway } from '../helpers/started-gateway.ts'
import type { StartedGateway } from '../helpers/started-gateway.ts'
import type { WireClient } from '../../helpers/wire-client.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())

/** Sends an async task and takes its acknowledgement. */
async function submit(client: WireClient, choices: Readonly<Record<string, unknown>> = {}) {
  const task = inference({ deliveryMethod: 'async', ...choices })
  client.send(task)
  const frame = await client.waitForFrame(isAbout(task.taskUUID))
  return { task, frame }
}

async function poll(client: WireClient, taskUUID: string) {
  client.send({ taskType: 'getResponse', taskUUID })
  return client.waitForFrame(isAbout(taskUUID))
}

/** A gateway whose tasks wait until they are let go. */
async function startHolding(t: Test): Promise<StartedGateway> {
  const holding = await startTestGateway()
  t.teardown(() => holding.stop())
  holding.worker.hold()
  return holding
}

t.test('A01 an async task is acknowledged by one item without any picture, whatever numberResults is', async t => {
  const { login, worker } = await startHolding(t)
  const client = await login()
  for (const numberResults of [1, 2, 20]) {
    const { task, frame } = await submit(client, { numberResults })
    t.same(frame, { data: [{ taskType: 'imageInference', taskUUID: task.taskUUID }] })
  }
  t.same(await client.settle(), [])
  worker.unhold()
})

t.test('A01 the acknowledgement comes before the pictures of the fastest worker', async t => {
  const client = await server.login()
  for (let round = 0; round < 20; round++) {
    const { task, frame } = await submit(client)
    t.same(frame.data, [{ taskType: 'imageInference', taskUUID: task.taskUUID }])
    await client.results(task.taskUUID, 1)
  }
  await client.close()
})

t.test('A02 a validation error takes the acknowledgement\'s place', async t => {
  const client = await server.login()
  const { task, frame } = await submit(client, { steps: 0 })
  t.match(frame.errors?.[0], { parameter: 'steps', taskUUID: task.taskUUID, taskType: 'imageInference' })
  t.same(await client.settle(), [])
  await client.close()
})

t.test('A03 A04 A05 a poll is answered by one frame with every item, in one order, with the task\'s own taskType', async t => {
  const { login, worker } = await startHolding(t)
  const client = await login()
  const { task } = await submit(client, { numberResults: 3, seed: 5 })
  await worker.whenClaimed(1)
  const processing = { taskType: 'imageInference', taskUUID: task.taskUUID, status: 'processing' }
  t.same(await poll(client, task.taskUUID), { data: [processing, processing, processing] })
  worker.release()
  let data = (await poll(client, task.taskUUID)).data ?? []
  while (data[0]?.['status'] === 'processing') data = (await poll(client, task.taskUUID)).data ?? []
  t.match(data[0], { taskType: 'imageInference', status: 'success', seed: 5, imageUUID: String, imageURL: String })
  t.same(data.slice(1), [processing, processing])
  worker.unhold()
  const pushed = await client.results(task.taskUUID, 3)
  t.same((await poll(client, task.taskUUID)).data, pushed)
  t.same((await poll(client, task.taskUUID)).data, pushed, 'the same again')
  t.same(pushed[0], data[0], 'what was finished first is the same item')
})

t.test('A03 inline pictures of a poll are in its one frame', async t => {
  const client = await server.login()
  const { task } = await submit(client, { numberResults: 3, outputType: 'base64Data' })
  for (let count = 0; count < 3; count++) t.equal((await client.waitForFrame(isAbout(task.taskUUID))).data?.length, 1)
  const { data } = await poll(client, task.taskUUID)
  t.equal(data?.length, 3)
  t.ok(data?.every(item => typeof item['imageBase64Data'] === 'string'))
  await client.close()
})

t.test('A06 a failed async task is an error of its poll and is never pushed', async t => {
  const { login, worker, queue } = await startHolding(t)
  const client = await login()
  const { task } = await submit(client, { positivePrompt: 'failAfter1', numberResults: 2 })
  const ended = new Promise<void>(resolve => queue.subscribe(event => { if (event.type === 'ended') resolve() }))
  worker.unhold()
  await ended
  t.same(await client.settle(), [])
  const { errors } = await poll(client, task.taskUUID)
  t.equal(errors?.length, 1)
  t.match(errors?.[0], { code: 'inferenceError', taskUUID: task.taskUUID, taskType: 'imageInference' })
})

t.test('A07 an unknown taskUUID is an error, never an empty list', async t => {
  const client = await server.login()
  const frame = await poll(client, 'nobody-knows')
  t.match(frame.errors?.[0], { code: 'taskNotFound', taskUUID: 'nobody-knows', taskType: 'getResponse' })
  t.notOk('data' in frame)
  await client.close()
})

t.test('A08 A09 acknowledgement, polls and the end in the order of the clients that poll', async t => {
  const { login, worker } = await startHolding(t)
  const client = await login()
  const { task } = await submit(client, { numberResults: 2 })
  t.ok((await poll(client, task.taskUUID)).data?.every(item => item['status'] === 'processing'))
  worker.unhold()
  await client.results(task.taskUUID, 2)
  const { data } = await poll(client, task.taskUUID)
  t.equal(data?.filter(item => item['status'] === 'success' && item['imageURL'] !== undefined).length, 2)
})

t.test('A12 the finished items are pushed in one frame when an async task completes', async t => {
  const { login, worker } = await startHolding(t)
  const client = await login()
  const { task } = await submit(client, { numberResults: 2 })
  worker.release()
  await worker.whenClaimed(1)
  t.same(await client.settle(), [], 'not while one of them is missing')
  worker.unhold()
  const { data } = await client.waitForFrame(isAbout(task.taskUUID))
  t.equal(data?.length, 2)
  t.ok(data?.every(item => item['status'] === 'success' && item['imageUUID'] !== undefined))
})

t.test('A13 getResponse works for sync tasks, from another connection, and for its own account alone', async t => {
  const client = await server.login()
  const task = inference({ numberResults: 2 })
  client.send(task)
  const pushed = await client.results(task.taskUUID, 2)
  t.same((await poll(client, task.taskUUID)).data, pushed)
  const [other, stranger] = [await server.login(keyA), await server.login(keyB)]
  t.same((await poll(other, task.taskUUID)).data, pushed)
  t.equal((await poll(stranger, task.taskUUID)).errors?.[0]?.['code'], 'taskNotFound')
  await Promise.all([client.close(), other.close(), stranger.close()])
})

t.test('A14 two polls under way for one taskUUID are both answered', async t => {
  const { login } = await startHolding(t)
  const client = await login()
  const { task } = await submit(client)
  client.send({ taskType: 'getResponse', taskUUID: task.taskUUID }, { taskType: 'getResponse', taskUUID: task.taskUUID })
  client.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  for (let count = 0; count < 3; count++) t.equal((await client.next()).data?.[0]?.['status'], 'processing')
})

t.test('an async task that is sent again is acknowledged again and computed once', async t => {
  const { login, worker } = await startHolding(t)
  const client = await login()
  const { task, frame } = await submit(client)
  client.send(task)
  t.same(await client.next(), frame)
  const other = await login()
  other.send(task)
  t.same(await other.next(), frame)
  worker.unhold()
  await client.results(task.taskUUID, 1)
  client.send(task)
  t.same(await client.next(), frame, 'also when it has ended')
  t.equal(worker.claimed.length, 1)
})

t.test('a sync task whose taskUUID was used is a conflict, running or ended, whatever it was', async t => {
  const { login, worker } = await startHolding(t)
  const client = await login()
  const task = inference()
  client.send(task)
  client.send(task)
  t.match((await client.next()).errors?.[0], { code: 'conflictTaskUUID', taskUUID: task.taskUUID, parameter: 'taskUUID' })
  client.send({ ...task, deliveryMethod: 'async' })
  t.match((await client.next()).errors?.[0], { code: 'conflictTaskUUID', taskUUID: task.taskUUID })
  worker.unhold()
  await client.results(task.taskUUID, 1)
  client.send(task)
  t.match((await client.next()).errors?.[0], { code: 'conflictTaskUUID' })
  const stranger = await login(keyB)
  stranger.send(task)
  t.equal((await stranger.results(task.taskUUID, 1)).length, 1, 'another account is free to use it')
  t.equal(worker.claimed.length, 2)
})

t.test('one taskUUID twice in an array is a conflict for the second', async t => {
  const client = await server.login()
  const task = inference()
  client.send(task, { ...task, taskUUID: task.taskUUID.toUpperCase() })
  t.match((await client.waitForFrame(({ errors }) => errors !== undefined)).errors?.[0], { code: 'conflictTaskUUID', taskUUID: task.taskUUID.toUpperCase() })
  await client.close()
})
