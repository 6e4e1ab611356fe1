import t from 'tap'
import type { Test } from 'tap'
import { inference, isAbout, keyA, startTestGateway } from '../helpers/started-gateway.ts'
import type { StartedGateway, TestOptions } from '../helpers/started-gateway.ts'
import type { Item, WireClient } from '../../helpers/wire-client.ts'

async function start(t: Test, options?: TestOptions): Promise<StartedGateway> {
  const server = await startTestGateway(options)
  t.teardown(() => server.stop())
  return server
}

/** Lets time pass in small steps, with both sides answering each other's pings. */
async function pass({ clock }: StartedGateway, client: WireClient, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 5) {
    clock.advance(5_000)
    await client.roundTrip()
  }
}

/** A client with one task that waits for its worker. */
async function startTask(server: StartedGateway, choices: Readonly<Record<string, unknown>> = {}) {
  server.worker.hold()
  const client = await server.login()
  const task = inference(choices)
  client.send(task)
  await server.worker.whenClaimed(1)
  await client.settle()
  return { client, task }
}

/** Resolves when a task has ended. */
function whenEnded({ queue }: StartedGateway): Promise<void> {
  return new Promise(resolve => {
    const unsubscribe = queue.subscribe(event => {
      if (event.type !== 'ended') return
      unsubscribe()
      resolve()
    })
  })
}

t.test('P01 JSON pings keep a socket open, and without any message it is closed at 120 s', async t => {
  const server = await start(t)
  const [busy, idle] = [await server.login(), await server.login()]
  for (let passed = 0; passed < 115; passed += 5) {
    server.clock.advance(5_000)
    await Promise.all([busy.settle(), idle.roundTrip()])
  }
  t.equal(server.gateway.connections, 2)
  await pass(server, busy, 10)
  t.equal(await idle.waitForClose(), 4406)
  t.same(await busy.settle(), [])
})

t.test('P01 a socket is not idle while its task runs', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server)
  await pass(server, client, 300)
  server.worker.unhold()
  t.equal((await client.results(task.taskUUID, 1)).length, 1)
  await client.roundTrip()
  let code: number | undefined
  client.socket.on('close', closeCode => { code = closeCode })
  await pass(server, client, 115)
  t.equal(code, undefined, 'the time counts from the last message')
  server.clock.advance(6_000)
  t.equal(await client.waitForClose(), 4406)
})

t.test('P02 what was missed is replayed after the authentication, each item once', async t => {
  const server = await start(t)
  const { client } = await startTask(server, { numberResults: 3 })
  await client.drop()
  await server.whenConnections(0)
  const ended = whenEnded(server)
  server.worker.unhold()
  await ended
  const again = await server.login(keyA, client.sessionUUID)
  t.equal(again.sessionUUID, client.sessionUUID)
  const { data } = await again.next()
  t.equal(data?.length, 3, 'in one frame')
  t.equal(new Set(data?.map(item => item['imageUUID'])).size, 3)
  t.same(await again.settle(), [])
  await again.roundTrip()
  await again.drop()
  await server.whenConnections(0)
  const third = await server.login(keyA, client.sessionUUID)
  t.same(await third.settle(), [], 'what was confirmed is forgotten')
})

t.test('P03 the same after every close code', async t => {
  const server = await start(t)
  for (const code of [1000, 1001, 1011, 1012, 4000, 'drop'] as const) {
    server.worker.hold()
    const client = await server.login()
    const task = inference()
    client.send(task)
    await client.settle()
    if (code === 'drop') await client.drop()
    else {
      client.socket.close(code)
      await client.waitForClose()
    }
    await server.whenConnections(0)
    server.worker.unhold()
    const again = await server.login(keyA, client.sessionUUID)
    t.equal((await again.results(task.taskUUID, 1)).length, 1, String(code))
    t.same(await again.settle(), [], String(code))
    await again.close()
    await server.whenConnections(0)
  }
})

t.test('P04 what finishes after the resume goes to the new socket', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2 })
  await client.drop()
  await server.whenConnections(0)
  const again = await server.login(keyA, client.sessionUUID)
  t.same(await again.settle(), [])
  server.worker.unhold()
  t.equal((await again.results(task.taskUUID, 2)).length, 2)
})

t.test('P05 a resume takes over from a socket that looks open, which is closed', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server)
  const again = await server.login(keyA, client.sessionUUID)
  t.equal(again.sessionUUID, client.sessionUUID)
  t.equal(await client.waitForClose(), 4409)
  server.worker.unhold()
  t.equal((await again.results(task.taskUUID, 1)).length, 1)
  t.notOk(client.frames.some(({ data }) => data?.[0]?.['imageUUID'] !== undefined), 'nothing went to the old socket')
})

t.test('P06 after 120 s the session is gone, and a resume gives a fresh one', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server)
  await client.drop()
  await server.whenConnections(0)
  const ended = whenEnded(server)
  server.worker.unhold()
  await ended
  server.clock.advance(119_000)
  t.equal(server.gateway.sessions, 1)
  server.clock.advance(2_000)
  t.equal(server.gateway.sessions, 0)
  t.equal(server.gateway.owedItems, 0)
  const again = await server.login(keyA, client.sessionUUID)
  t.not(again.sessionUUID, client.sessionUUID)
  t.same(await again.settle(), [])
  again.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  t.equal((await again.next()).data?.[0]?.['status'], 'success', 'what was computed in time can still be read')
})

t.test('P06 when a session expires its sync tasks are cancelled, but not those that somebody polled, nor async ones', async t => {
  const server = await start(t)
  server.worker.hold()
  const client = await server.login()
  const tasks = [inference(), inference(), inference({ deliveryMethod: 'async' })]
  for (const task of tasks) client.send(task)
  await client.waitForFrame(isAbout(tasks[2]?.taskUUID ?? ''))
  const other = await server.login()
  other.send({ taskType: 'getResponse', taskUUID: tasks[1]?.taskUUID })
  await other.next()
  await client.drop()
  await server.whenConnections(1)
  for (let passed = 0; passed < 125; passed += 5) {
    server.clock.advance(5_000)
    await other.settle()
  }
  t.same(server.worker.cancelled.map(record => record.taskUUID), [tasks[0]?.taskUUID])
  const ended = whenEnded(server)
  server.worker.unhold()
  await ended
  other.send({ taskType: 'getResponse', taskUUID: tasks[0]?.taskUUID })
  t.equal((await other.waitForFrame(isAbout(tasks[0]?.taskUUID ?? ''))).errors?.[0]?.['code'], 'taskCancelled')
})

t.test('P07 a sync call goes on over a server-side terminate, its picture counted once', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2 })
  // The peer stops answering pings, so the server gives the socket up.
  client.socket.pause()
  for (let seconds = 0; seconds < 60; seconds++) server.clock.advance(1_000)
  await server.whenConnections(0)
  const again = await server.login(keyA, client.sessionUUID)
  server.worker.unhold()
  const items = await again.results(task.taskUUID, 2)
  t.equal(new Set(items.map(item => item['imageUUID'])).size, 2)
})

t.test('P07 an item that may have been seen comes after those that were not, in one frame', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2, seed: 1 })
  // The client reads frames and answers no ping: seen, and not confirmed.
  client.socket.pong = () => undefined
  server.worker.release()
  const [seen] = await client.results(task.taskUUID, 1)
  await client.drop()
  await server.whenConnections(0)
  const ended = whenEnded(server)
  server.worker.unhold()
  await ended
  const again = await server.login(keyA, client.sessionUUID)
  const { data } = await again.next()
  t.same(data?.map(item => item['seed']), [2, 1])
  t.same(data?.[1], seen, 'the repeated item is the same, byte for byte')
})

t.test('P07 a replay waits a moment for the rest of a task that was seen in part', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2, seed: 1 })
  client.socket.pong = () => undefined
  server.worker.release()
  await client.results(task.taskUUID, 1)
  await client.drop()
  await server.whenConnections(0)
  const again = await server.login(keyA, client.sessionUUID)
  t.same(await again.settle(), [], 'held back')
  server.worker.unhold()
  t.same((await again.next()).data?.map(item => item['seed']), [2, 1])
})

t.test('P07 a replay that waits in vain goes out after 250 ms', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2, seed: 1 })
  client.socket.pong = () => undefined
  server.worker.release()
  await client.results(task.taskUUID, 1)
  await client.drop()
  await server.whenConnections(0)
  const again = await server.login(keyA, client.sessionUUID)
  t.same(await again.settle(), [])
  server.clock.advance(250)
  t.same((await again.next()).data?.map(item => item['seed']), [1])
  server.worker.unhold()
  t.same((await again.results(task.taskUUID, 1)).map(item => item['seed']), [2])
})

t.test('P07 an error that may have been seen is replayed as data, one that was not as an error', async t => {
  const server = await start(t)
  for (const wasSeen of [true, false]) {
    server.worker.hold()
    const client = await server.login()
    client.socket.pong = () => undefined
    const task = inference({ positivePrompt: 'fail' })
    client.send(task)
    await client.settle()
    const ended = whenEnded(server)
    if (wasSeen) {
      server.worker.unhold()
      await client.waitForFrame(isAbout(task.taskUUID))
    }
    await client.drop()
    await server.whenConnections(0)
    server.worker.unhold()
    await ended
    const again = await server.login(keyA, client.sessionUUID)
    const frame = await again.next()
    const item: Item | undefined = wasSeen ? frame.data?.[0] : frame.errors?.[0]
    t.match(item, wasSeen
      ? { taskUUID: task.taskUUID, taskType: 'imageInference', status: 'error', error: { code: 'inferenceError' } }
      : { taskUUID: task.taskUUID, code: 'inferenceError' })
    await again.close()
    await server.whenConnections(0)
  }
})

t.test('P07 an acknowledgement that was missed is replayed alone before the pictures', async t => {
  const server = await start(t)
  server.worker.hold()
  const client = await server.login()
  client.socket.pong = () => undefined
  const task = inference({ deliveryMethod: 'async', numberResults: 2 })
  client.send(task)
  await client.waitForFrame(isAbout(task.taskUUID))
  await client.drop()
  await server.whenConnections(0)
  const ended = whenEnded(server)
  server.worker.unhold()
  await ended
  const again = await server.login(keyA, client.sessionUUID)
  t.same((await again.next()).data, [{ taskType: 'imageInference', taskUUID: task.taskUUID }])
  t.equal((await again.next()).data?.length, 2)
})

t.test('P08 the same taskUUID from a new session is a conflict, getResponse works, and the picture is computed once', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2 })
  await client.drop()
  const again = await server.login()
  again.send(task)
  t.match((await again.next()).errors?.[0], { code: 'conflictTaskUUID', taskUUID: task.taskUUID })
  again.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  t.equal((await again.next()).data?.[0]?.['status'], 'processing')
  const ended = whenEnded(server)
  server.worker.unhold()
  await ended
  again.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  t.ok((await again.next()).data?.every(item => item['status'] === 'success'))
  t.equal(server.worker.claimed.length, 1)
})

t.test('P09 the rest under a new taskUUID from a new session is served', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { numberResults: 2 })
  server.worker.release()
  await client.results(task.taskUUID, 1)
  await client.drop()
  const again = await server.login()
  const rest = inference({ numberResults: 1 })
  again.send(rest)
  server.worker.unhold()
  t.equal((await again.results(rest.taskUUID, 1)).length, 1)
})

t.test('P10 a planned shutdown closes with 1012', async t => {
  const server = await startTestGateway()
  const client = await server.login()
  const stopped = server.gateway.stop()
  t.equal(await client.waitForClose(), 1012)
  await stopped
  await server.stop()
  t.equal(server.gateway.sessions, 0)
  t.equal(server.clock.timers, 0, 'no timer is left')
})

t.test('P11 a client that closes with 1009 gets the picture\'s URL instead of the same frame again', async t => {
  const server = await start(t)
  const { client, task } = await startTask(server, { outputType: 'base64Data' })
  client.socket.pong = () => undefined
  server.worker.unhold()
  await client.results(task.taskUUID, 1)
  client.socket.close(1009)
  await client.waitForClose()
  await server.whenConnections(0)
  const again = await server.login(keyA, client.sessionUUID)
  const [item] = (await again.next()).data ?? []
  t.match(item, { taskUUID: task.taskUUID, imageURL: String })
  t.equal(item?.['imageBase64Data'], undefined)
})

t.test('31 a peer that does not read is given up after 20 s, and a resume gets everything', async t => {
  const server = await start(t, { bytes: Buffer.alloc(2 ** 20, 1), limits: { maxBufferedBytes: 2 ** 20 } })
  const client = await server.login()
  const tasks = Array.from({ length: 30 }, () => inference({ outputType: 'base64Data' }))
  // One frame: a peer that does not read is not read from either.
  client.send(...tasks)
  client.socket.pause()
  while (server.queue.unfinished > 0 || server.worker.claimed.length < 30) await new Promise(resolve => setImmediate(resolve))
  const neighbour = await server.login()
  t.same(await neighbour.settle(), [])
  for (let seconds = 0; seconds < 45; seconds++) {
    server.clock.advance(1_000)
    await neighbour.settle()
  }
  await server.whenConnections(1)
  t.equal(server.gateway.owedItems, 30 - new Set(client.frames.flatMap(({ data = [] }) => data).filter(item => item['imageUUID']).map(item => item['imageUUID'])).size, 'what was not confirmed is kept')
  const again = await server.login(keyA, client.sessionUUID)
  const missing = new Set(tasks.map(task => task.taskUUID))
  while (missing.size > 0) missing.delete(String((await again.next()).data?.[0]?.['taskUUID']))
})
