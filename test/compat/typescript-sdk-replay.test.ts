import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startCuttingProxy } from './helpers/cutting-proxy.ts'
import { type Frame, WireClient } from '../helpers/wire-client.ts'
import { apiKey, model, serveReady } from '../helpers/served.ts'

// What @runware/sdk 1.6.8 (TypeScript) puts on the wire, in its order: async by default, acknowledgement, then polls.

const headers = { 'User-Agent': 'runware-typescript/1.6.5 (node/20.20.2; linux x64) schemas/20260722152433' }

const request = (changes: Record<string, unknown> = {}): Record<string, unknown> & { taskUUID: string } => ({
  deliveryMethod: 'async',
  model,
  taskType: 'imageInference',
  width: 128,
  height: 128,
  steps: 2,
  positivePrompt: 'a red heart',
  taskUUID: randomUUID(),
  ...changes,
})

const about = (taskUUID: unknown) => (frame: Frame) => [...(frame.data ?? []), ...(frame.errors ?? [])].some((item) => item.taskUUID === taskUUID)

t.test('the sequences of the TypeScript SDK work', { timeout: 200_000 }, async (t) => {
  const server = await serveReady(t)
  const proxy = await startCuttingProxy(server.port)
  t.teardown(() => proxy.stop())
  const url = `ws://127.0.0.1:${proxy.port}/v1`
  const http = `http://127.0.0.1:${server.port}/v1`

  const connect = async (session?: string) => {
    const client = await WireClient.open(url, { headers, perMessageDeflate: true })
    client.send({ taskType: 'authentication', apiKey, ...(session && { connectionSessionUUID: session }) })
    const reply = await client.next()
    return { client, session: reply.data?.[0].connectionSessionUUID as string }
  }

  /** Polls as the SDK does: the item counts as finished when it says `success`. */
  const poll = async (client: WireClient, taskUUID: string, count: number) => {
    for (;;) {
      client.send({ taskType: 'getResponse', taskUUID })
      const reply = await client.waitForFrame(about(taskUUID))
      const done = reply.data?.filter((item) => item.status === 'success') ?? []
      if (done.length >= count || reply.errors) return reply
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  await t.test('a wrong key fails at once through the singular error', async (t) => {
    const client = await WireClient.open(url, { headers, perMessageDeflate: true })
    client.send({ taskType: 'authentication', apiKey: 'this-key-is-not-known-to-the-server' })
    const reply = await client.next()
    t.match(reply.error, { code: 'invalidApiKey', message: /invalid api key/i })
    t.strictSame(reply.errors, [reply.error])
    await client.waitForClose()
  })

  await t.test('two results by polling: one acknowledgement, then the whole state in one frame', async (t) => {
    const { client } = await connect()
    const task = request({ numberResults: 2, seed: 7 })
    client.send(task)
    const acknowledgement = await client.next()
    t.strictSame(acknowledgement, { data: [{ taskType: 'imageInference', taskUUID: task.taskUUID }] })
    const { data } = await poll(client, task.taskUUID, 2)
    t.strictSame(data?.map((item) => item.seed), [7, 8])
    t.equal(new Set(data?.map((item) => item.imageUUID)).size, 2)
    t.ok(client.frames.every((frame) => !('errors' in frame)))
    await client.close()
  })

  await t.test('an error names its task and its parameter and no other call sees one', async (t) => {
    const { client } = await connect()
    const bad = request({ model: 'nobody:has@this' })
    const good = request()
    client.send(bad)
    client.send(good)
    const refused = await client.waitForFrame(about(bad.taskUUID))
    t.match(refused, { errors: [{ parameter: 'model', taskUUID: bad.taskUUID, taskType: 'imageInference' }] })
    const { data } = await poll(client, good.taskUUID, 1)
    t.equal(data?.length, 1)
    const errors = client.frames.filter((frame) => frame.errors)
    t.equal(errors.length, 1, 'an error for nobody fails every pending call of this client')
    await client.close()
  })

  await t.test('100 parallel pushed tasks are each answered once', async (t) => {
    const { client } = await connect()
    const tasks = Array.from({ length: 100 }, (_, k) => request({ deliveryMethod: 'sync', seed: 1000 + k }))
    for (const task of tasks) client.send(task)
    const seeds = new Map<unknown, unknown>()
    while (seeds.size < tasks.length) for (const item of (await client.next()).data ?? []) seeds.set(item.taskUUID, item.seed)
    for (const task of tasks) t.equal(seeds.get(task.taskUUID), task.seed)
    await client.settle()
    const items = client.frames.flatMap((frame) => frame.data ?? []).filter((item) => item.taskType === 'imageInference')
    t.equal(items.length, tasks.length, 'no result comes twice')
    await client.close()
  })

  await t.test('a pushed call resolves from the replay after a drop; the task is never sent again', async (t) => {
    const { client, session } = await connect()
    const task = request({ deliveryMethod: 'sync', steps: 30, width: 256, height: 256, seed: 5 })
    client.send(task)
    await client.settle()
    proxy.cut()
    await client.waitForClose()
    const resumed = await connect(session)
    t.equal(resumed.session, session, 'the session goes on')
    const { data } = await resumed.client.waitForFrame(about(task.taskUUID))
    t.equal(data?.[0].seed, 5)
    await resumed.client.close()
  })

  await t.test('REST: acknowledgement, polls, and an error with its status', async (t) => {
    const post = async (...tasks: readonly Record<string, unknown>[]) => {
      const response = await fetch(http, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json', Authorization: `Bearer ${apiKey}` },
        body: JSON.stringify(tasks),
      })
      return { status: response.status, body: (await response.json()) as Frame }
    }
    const task = request({ seed: 9 })
    t.strictSame((await post(task)).body, { data: [{ taskType: 'imageInference', taskUUID: task.taskUUID }] })
    let answer = await post({ taskType: 'getResponse', taskUUID: task.taskUUID })
    while (answer.body.data?.[0].status === 'processing') {
      await new Promise((resolve) => setTimeout(resolve, 100))
      answer = await post({ taskType: 'getResponse', taskUUID: task.taskUUID })
    }
    t.match(answer.body.data, [{ status: 'success', seed: 9 }])
    const refused = await post(request({ width: 100 }))
    t.equal(refused.status, 400)
    t.equal(refused.body.error?.parameter, 'width')
  })
})
