import { createServer } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { apiKey, childrenOf, Client, makeTask, mappedFiles, portOf, serve, serveReady, untilReadiness } from '../../helpers/served.ts'

const isLinux = process.platform === 'linux'

/** So many steps that a task is surely still running when the next message arrives. */
const longSteps = 40

t.test('a started server', async t => {
  const { port, pid } = await serveReady(t)

  t.test('sends pictures over a WebSocket, by URL, that decode', async t => {
    const client = await Client.open(t, port)
    const task = makeTask({ numberResults: 2, seed: 5, outputFormat: 'PNG' })
    client.send(task)
    const results = await client.results(task.taskUUID, 2)
    t.strictSame(results.map(({ seed }) => seed).sort(), [5, 6])
    for (const { imageURL } of results) {
      const response = await fetch(String(imageURL))
      t.equal(response.headers.get('content-type'), 'image/png')
      t.match(await sharp(await response.arrayBuffer()).metadata(), { format: 'png', width: 128, height: 128, channels: 3 })
    }
  })

  t.test('sends the same picture over REST in every encoding', async t => {
    const post = async (body: unknown) => {
      const response = await fetch(`http://127.0.0.1:${port}/v1`, {
        method: 'POST', body: JSON.stringify(body), headers: { 'authorization': `Bearer ${apiKey}`, 'content-type': 'application/json' },
      })
      return { status: response.status, body: await response.json() as { data: Record<string, unknown>[] } }
    }
    const decoded = async (bytes: Buffer) => sharp(bytes).raw().toBuffer()
    const pictures: Buffer[] = []
    for (const outputType of ['base64Data', 'dataURI', 'URL']) {
      const { status, body } = await post([makeTask({ seed: 9, outputFormat: 'PNG', outputType })])
      t.equal(status, 200)
      const [item] = body.data
      if (outputType === 'base64Data') pictures.push(await decoded(Buffer.from(String(item?.imageBase64Data), 'base64')))
      if (outputType === 'dataURI') pictures.push(await decoded(Buffer.from(String(item?.imageDataURI).replace('data:image/png;base64,', ''), 'base64')))
      if (outputType === 'URL') pictures.push(await decoded(Buffer.from(await (await fetch(String(item?.imageURL))).arrayBuffer())))
    }
    t.equal(pictures[0]?.length, 128 * 128 * 3)
    t.ok(pictures[0]?.equals(pictures[1] as Buffer) && pictures[0]?.equals(pictures[2] as Buffer))
  })

  t.test('answers pings while the device computes', async t => {
    const client = await Client.open(t, port)
    const task = makeTask({ steps: longSteps, numberResults: 4 })
    client.send(task)
    for (let k = 1; k <= 3; k++) {
      client.send({ taskType: 'ping', ping: true })
      await client.until(() => client.data.filter(({ pong }) => pong === true).length === k)
    }
    t.equal(client.data.some(({ taskUUID }) => taskUUID === task.taskUUID), false, 'the pongs did not wait for a picture')
    t.equal((await client.results(task.taskUUID, 4)).length, 4)
  })

  t.test('keeps the runtime and the image library out of the gateway\'s process', { skip: !isLinux && 'reads /proc' }, async t => {
    const [worker] = childrenOf(pid)
    t.match(mappedFiles(worker ?? 0), /onnxruntime/, 'the worker has what is looked for')
    t.notMatch(mappedFiles(pid), /onnxruntime|sharp|libvips/)
  })

  t.test('brings the result of a task whose worker was killed, and is not ready meanwhile', { skip: !isLinux && 'reads /proc' }, async t => {
    const client = await Client.open(t, port)
    const task = makeTask({ steps: longSteps, seed: 3, outputFormat: 'PNG' })
    const undisturbed = makeTask({ steps: longSteps, seed: 3, outputFormat: 'PNG' })
    client.send(task)
    client.send({ taskType: 'ping', ping: true })
    await client.until(() => client.data.some(({ pong }) => pong === true))
    const [worker] = childrenOf(pid)
    process.kill(worker ?? 0, 'SIGKILL')
    t.match(await untilReadiness(port, 503), /notReady/)
    const [result] = await client.results(task.taskUUID)
    t.notSame(childrenOf(pid), [worker])
    await untilReadiness(port, 200)
    client.send(undisturbed)
    const [same] = await client.results(undisturbed.taskUUID)
    const [one, two] = await Promise.all([result, same].map(async item => Buffer.from(await (await fetch(String(item?.imageURL))).arrayBuffer())))
    t.ok(one?.equals(two as Buffer), 'it is the picture that would have come')
    t.strictSame(client.errors, [])
  })
})

t.test('a server says what is wrong and does not start', async t => {
  const folder = t.testdir({ file: 'no folder', empty: {} })
  const blocker = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => blocker.once('listening', resolve))
  t.teardown(() => blocker.close())
  const address = blocker.address()
  const taken = typeof address === 'object' && address ? String(address.port) : ''
  const models = new URL('../../../../test/reference/models/sd1-tiny', import.meta.url).pathname
  const common = ['serve', '--api-key', apiKey, '--device', 'cpu']
  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a port that is taken', ['--port', taken, '--models', models, '--data', join(folder, 'data')], new RegExp(`${taken}.*(in use|taken)`)],
    ['a data folder that is a file', ['--port', '0', '--models', models, '--data', join(folder, 'file')], /data folder.*cannot be used/i],
    ['a models folder that is not there', ['--port', '0', '--models', join(folder, 'none'), '--data', join(folder, 'data')], /none/],
    ['a models folder without a model', ['--port', '0', '--models', join(folder, 'empty'), '--data', join(folder, 'data')], /no checkpoint/i],
  ]
  for (const [title, args, message] of wrong) {
    const served = serve(t, [...common, ...args])
    const { code } = await served.exit
    t.not(code, 0, title)
    t.not(code, null, title)
    t.match(served.output(), message)
    t.notMatch(served.output(), /\n {4}at /, 'a sentence, not a stack')
    t.notMatch(served.output(), /ws:\/\//)
  }
})

t.test('a server that listens is not ready before its worker is warm', async t => {
  const models = new URL('../../../../test/reference/models/sd1-tiny', import.meta.url).pathname
  const served = serve(t, ['serve', '--port', '0', '--data', t.testdir(), '--models', models, '--api-key', apiKey, '--device', 'cpu'])
  const port = await portOf(served)
  if (isLinux) {
    for (const child of childrenOf(served.pid)) process.kill(child, 'SIGSTOP')
    t.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200)
    const response = await fetch(`http://127.0.0.1:${port}/readyz`)
    // A machine that was slow to let this test run may have warmed the worker already.
    if (response.status !== 200) t.match(await response.text(), /notReady/)
    for (const child of childrenOf(served.pid)) process.kill(child, 'SIGCONT')
  }
  await untilReadiness(port, 200)
  const client = await Client.open(t, port)
  const task = makeTask()
  client.send(task)
  t.equal((await client.results(task.taskUUID)).length, 1)
})
