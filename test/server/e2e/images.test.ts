import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { Client, makeTask, serveReady } from '../../helpers/served.ts'
import type { Item } from '../../helpers/served.ts'

// A server's process, its worker and a real small model.
t.setTimeout(240_000)

/** A picture with an edge, so that what stays can be told from what is repainted. */
const seed = await png(3, i => (i % 384 < 192 ? 30 : (i >> 6) % 256))
const halfMask = await png(1, i => (i % 128 < 64 ? 0 : 255))

function png(channels: 1 | 3, value: (i: number) => number): Promise<Buffer> {
  const data = Buffer.from(Array.from({ length: 128 * 128 * channels }, (_, i) => value(i)))
  return sharp(data, { raw: { width: 128, height: 128, channels } }).png().toBuffer()
}

const pictures = createServer((request, response) => void response.end(request.url === '/seed.png' ? seed : 'no picture'))
pictures.listen(0, '127.0.0.1')
await once(pictures, 'listening')
t.teardown(() => pictures.close())
const { port: picturePort } = pictures.address() as AddressInfo
const pictureUrl = `http://127.0.0.1:${picturePort}`

const pixelsOf = async (item: Item | undefined) => sharp(Buffer.from(String(item?.['imageBase64Data']), 'base64')).raw().toBuffer({ resolveWithObject: true })
const inline = { outputType: 'base64Data', outputFormat: 'PNG' }

t.test('T01 an uploaded picture is a seedImage by its UUID, and a URL is one too; both give the same', async t => {
  const { port } = await serveReady(t, ['--fetch-private-host', `127.0.0.1:${picturePort}`])
  const client = await Client.open(t, port)
  client.send({ taskType: 'imageUpload', taskUUID: 'up', image: seed.toString('base64') })
  const [uploaded] = await client.results('up')
  const forms = [uploaded?.['imageUUID'], uploaded?.['imageURL'], `${pictureUrl}/seed.png`, `data:image/png;base64,${seed.toString('base64')}`]
  const tasks = forms.map(seedImage => makeTask({ ...inline, seed: 5, seedImage, strength: 0.5, steps: 4 }))
  const plain = makeTask({ ...inline, seed: 5, steps: 4 })
  client.send(...tasks, plain)
  const all = await Promise.all([...tasks, plain].map(async ({ taskUUID }) => (await pixelsOf((await client.results(taskUUID))[0])).data))
  for (const data of all.slice(1, 4)) t.ok(all[0]?.equals(data), 'the same picture in another form')
  t.notOk(all[0]?.equals(all[4] as Buffer), 'and not what the prompt alone gives')

  const [result] = await client.results(tasks[0]?.taskUUID ?? '')
  const again = makeTask({ ...inline, seedImage: result?.['imageUUID'], strength: 0 })
  client.send(again)
  t.equal((await client.results(again.taskUUID)).length, 1, 'a computed picture is one by its UUID')

  const inpaint = makeTask({ ...inline, seedImage: uploaded?.['imageUUID'], maskImage: halfMask.toString('base64'), strength: 1 })
  const outpaint = makeTask({ ...inline, seedImage: uploaded?.['imageUUID'], outpaint: { right: 64 }, width: 192 })
  client.send(inpaint, outpaint)
  const original = await sharp(seed).raw().toBuffer()
  for (const [{ taskUUID }, kept] of [[inpaint, 64], [outpaint, 128]] as const) {
    const { data, info } = await pixelsOf((await client.results(taskUUID))[0])
    let changed = 0
    let repainted = 0
    for (let y = 0; y < 128; y++) {
      const [line, from] = [data.subarray(y * info.width * 3, (y + 1) * info.width * 3), original.subarray(y * 384, (y + 1) * 384)]
      if (!line.subarray(0, kept * 3).equals(from.subarray(0, kept * 3))) changed++
      if (!line.subarray(kept * 3, 384).equals(from.subarray(kept * 3))) repainted++
    }
    t.equal(changed, 0, 'what is not repainted stays byte for byte')
    if (kept < 128) t.equal(repainted, 128, 'and the rest does not')
  }
})

t.test('a picture that cannot be used is the error of its task alone, named as the client named it', async t => {
  const data = t.testdir()
  const { port } = await serveReady(t, ['--fetch-private-host', `127.0.0.1:${picturePort}`, '--data', data])
  const client = await Client.open(t, port)
  const truncated = seed.subarray(0, seed.length / 2).toString('base64')
  const huge = await sharp({ create: { width: 5000, height: 5000, channels: 3, background: 'black' } }).png().toBuffer()
  const cases = [
    [{ seedImage: truncated }, 'seedImage', 'invalidSeedImage', /damaged/],
    [{ seedImage: seed.toString('base64'), maskImage: truncated }, 'maskImage', 'invalidMaskImage', /damaged/],
    [{ seedImage: huge.toString('base64') }, 'seedImage', 'invalidSeedImage', /4096x4096/],
    [{ seedImage: `${pictureUrl}/elsewhere` }, 'seedImage', 'invalidSeedImage', /no PNG, JPG or WEBP/],
    [{ seedImage: 'http://127.0.0.2/x.png' }, 'seedImage', 'invalidSeedImage', /no public address/],
    [{ seedImage: '4f1c1d7e-0a1b-4c2d-8e3f-0123456789ab' }, 'seedImage', 'imageNotFound', /no picture/],
    [{ seedImage: seed.toString('base64'), outpaint: { left: 64 }, width: 256, height: 128 }, 'width', 'invalidWidth', /expected 192/],
  ] as const
  const bad = cases.map(([choices]) => makeTask(choices))
  const good = makeTask({ seedImage: seed.toString('base64'), strength: 0.5 })
  client.send(...bad, good)
  for (const [i, [, parameter, code, message]] of cases.entries()) {
    t.match(await client.error(bad[i]?.taskUUID ?? ''), { code, parameter, message, taskUUID: bad[i]?.taskUUID }, code)
  }
  t.equal((await client.results(good.taskUUID)).length, 1, 'its neighbours are computed')

  client.send({ taskType: 'imageUpload', taskUUID: 'gone', image: seed.toString('base64') })
  const [{ imageUUID } = {}] = await client.results('gone')
  const folder = readdirSync(data).map(name => join(data, name)).find(path => path.endsWith('images')) ?? ''
  rmSync(join(folder, `${String(imageUUID)}.image`))
  const late = makeTask({ seedImage: imageUUID })
  client.send(late)
  t.match(await client.error(late.taskUUID), { code: 'imageNotFound', parameter: 'seedImage' }, 'a picture that was deleted while its task waited')
})

t.test('a server that was not told of private hosts fetches from none', async t => {
  const { port } = await serveReady(t)
  const client = await Client.open(t, port)
  const task = makeTask({ seedImage: `${pictureUrl}/seed.png` })
  client.send(task)
  t.match(await client.error(task.taskUUID), { code: 'invalidSeedImage', parameter: 'seedImage', message: /port must be 80 or 443/ })
})

