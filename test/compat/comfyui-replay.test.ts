import { randomUUID } from 'node:crypto'
import t from 'tap'
import { type Frame, WireClient } from '../helpers/wire-client.ts'
import { apiKey, model, serveReady } from '../helpers/served.ts'

// What the ComfyUI nodes 1.9.2 put on the wire: a WebSocket ping first, async tasks, a poll a second that reads data[0] only.

const headers = { 'X-SDK-Name': 'comfyui', 'X-SDK-Version': '1.9.2' }

t.test('the sequences of the ComfyUI nodes work', { timeout: 120_000 }, async (t) => {
  const server = await serveReady(t)
  const http = `http://127.0.0.1:${server.port}/v1`

  const keyCheck = async (key: string) => {
    const response = await fetch(http, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify([{ taskType: 'authentication', apiKey: key }]),
    })
    return (await response.json()) as Frame
  }

  const connect = async () => {
    const client = await WireClient.open(`ws://127.0.0.1:${server.port}/v1`, { headers, perMessageDeflate: true })
    await client.roundTrip()
    await client.authenticate(apiKey)
    return client
  }

  await t.test('the key check over HTTP', async (t) => {
    const accepted = await keyCheck(apiKey)
    t.notOk('errors' in accepted)
    t.match(accepted.data, [{ taskType: 'authentication', connectionSessionUUID: String }])
    const refused = await keyCheck('this-key-is-not-known-to-the-server')
    t.match(refused.errors, [{ message: /invalid api key/i }])
  })

  await t.test('a task, its acknowledgement and a poll a second that reads the first item', async (t) => {
    const client = await connect()
    const taskUUID = randomUUID()
    await client.roundTrip()
    client.send({
      taskType: 'imageInference', taskUUID, deliveryMethod: 'async', model, positivePrompt: 'a red heart', width: 128, height: 128,
      steps: 2, numberResults: 1, outputType: 'URL', outputFormat: 'WEBP', outputQuality: 90, checkNSFW: false, includeCost: false,
    })
    t.strictSame(await client.next(), { data: [{ taskType: 'imageInference', taskUUID }] })
    let first: Record<string, unknown> | undefined
    while (first?.status !== 'success') {
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      await client.roundTrip()
      client.send({ taskType: 'getResponse', taskUUID })
      first = (await client.waitForFrame((frame) => frame.data?.[0].taskUUID === taskUUID)).data?.[0]
    }
    const picture = await fetch(String(first.imageURL))
    t.equal(picture.headers.get('content-type'), 'image/webp')
    await client.close()
  })

  await t.test('an error carries the text and the allowed values that the node prints', async (t) => {
    const client = await connect()
    const taskUUID = randomUUID()
    client.send({ taskType: 'imageInference', taskUUID, deliveryMethod: 'async', model, positivePrompt: 'a red heart', width: 128, height: 128, scheduler: 'Nobody' })
    const { errors } = await client.next()
    t.match(errors, [{ parameter: 'scheduler', taskUUID, message: String }])
    t.ok((errors?.[0].allowedValues as readonly string[]).includes('Euler'))
    await client.close()
  })
})
