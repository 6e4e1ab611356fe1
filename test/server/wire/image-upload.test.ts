import { randomUUID } from 'node:crypto'
import t from 'tap'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { isAbout, keyA, startTestGateway } from '../helpers/started-gateway.ts'

const fetched: string[] = []
const server = await startTestGateway({
  fetchImage: async url => {
    fetched.push(url)
    return onePixelPng
  },
})
t.teardown(() => server.stop())
const client = await server.login()
const base64 = onePixelPng.toString('base64')

async function upload(fields: Readonly<Record<string, unknown>>) {
  const taskUUID = randomUUID()
  client.send({ taskType: 'imageUpload', taskUUID, ...fields })
  const { data, errors } = await client.waitForFrame(isAbout(taskUUID))
  t.equal((data ?? errors)?.[0]?.['taskUUID'], taskUUID)
  t.equal((data ?? errors)?.[0]?.['taskType'], 'imageUpload')
  return { item: data?.[0] ?? {}, error: errors?.[0] ?? {} }
}

t.test('T01 an upload is answered with imageUUID and imageURL, in every form that holds a picture', async t => {
  for (const image of [base64, `data:image/png;base64,${base64}`, 'https://pictures.example.org/a.png']) {
    const { item } = await upload({ image })
    const stored = await server.images.read(String(item['imageUUID']))
    t.match(stored?.image, { account: 'a', format: 'PNG' })
    t.ok(stored && onePixelPng.equals(stored.bytes))
    const response = await fetch(String(item['imageURL']))
    t.equal(response.headers.get('content-type'), 'image/png')
    t.ok(onePixelPng.equals(Buffer.from(await response.arrayBuffer())), 'the URL gives the file')
  }
  t.same(fetched, ['https://pictures.example.org/a.png'])
})

t.test('the lifetime can be chosen', async t => {
  const { item } = await upload({ image: base64, ttl: 90 })
  t.equal((await server.images.read(String(item['imageUUID'])))?.image.expiresAt, server.clock.wallNow() + 90_000)
})

t.test('what is no picture is refused by the name of its parameter, and the connection lives on', async t => {
  const invalid = { code: 'invalidImage', parameter: 'image', message: String }
  for (const image of [7, {}, 'file:///etc/passwd', 'not base64!', Buffer.from('<svg/>').toString('base64'), randomUUID(), Buffer.alloc(2 ** 20 + 1, 1).toString('base64')]) {
    t.match((await upload({ image })).error, invalid, String(image).slice(0, 40))
  }
  t.match((await upload({})).error, { code: 'missingImage', parameter: 'image' })
  t.match((await upload({ image: base64 })).item, { imageUUID: String })
})

t.test('REST uploads too', async t => {
  const post = (image: string) => fetch(`${server.httpUrl}/v1`, {
    method: 'POST', headers: { authorization: `Bearer ${keyA}` }, body: JSON.stringify([{ taskType: 'imageUpload', taskUUID: 'u', image }]),
  })
  const good = await post(base64)
  t.equal(good.status, 200)
  t.match(await good.json(), { data: [{ taskType: 'imageUpload', taskUUID: 'u', imageUUID: String, imageURL: String }] })
  const bad = await post('???')
  t.equal(bad.status, 400)
  t.match(await bad.json(), { error: { code: 'invalidImage' } })
})
