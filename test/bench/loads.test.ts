import t from 'tap'
import { drawPictures } from '../../bench/server/drawn-pictures.ts'
import { closedLoop, oneAtATime, openLoop } from '../../bench/server/loads.ts'
import type { TaskFields } from '../../bench/measure/request-mix.ts'

const requests = Array.from({ length: 9 }, (_, number) => ({ kind: 0, task: { number } }))

/** A client whose pictures take a turn of the event loop, and what it saw. */
function notedClient() {
  const seen: unknown[] = []
  const client = {
    underWay: 0,
    most: 0,
    async picture({ number }: TaskFields) {
      seen.push(number)
      client.most = Math.max(client.most, ++client.underWay)
      await new Promise(resolve => setImmediate(resolve))
      client.underWay--
      return 1
    },
  }
  return { client, seen }
}

t.test('clients that wait serve every request once, each one at a time', async t => {
  const { client, seen } = notedClient()
  const { ms, perSecond } = await closedLoop([client, client, client], requests)
  t.same([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  t.equal(client.most, 3)
  t.equal(ms.length, 9)
  t.ok(perSecond > 0)
})

t.test('arrivals do not wait for each other, and in front of one at a time they do; both take the same requests', async t => {
  const arrivals = Array.from({ length: 12 }, () => 0)
  const open = notedClient()
  t.equal((await openLoop(open.client, requests, arrivals)).ms.length, 12)
  t.ok(open.client.most > 1)
  const single = notedClient()
  t.equal((await oneAtATime(single.client, requests, arrivals)).ms.length, 12)
  t.equal(single.client.most, 1)
  t.same(single.seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2], 'more arrivals than requests begin anew')
  t.same(open.seen, single.seen)
})

t.test('a request that fails ends its load', async t => {
  const client = { picture: () => Promise.reject(new Error('refused')) }
  await t.rejects(closedLoop([client], requests), /refused/)
  await t.rejects(openLoop(client, requests, [0]), /refused/)
  await t.rejects(oneAtATime(client, requests, [0]), /refused/)
})

t.test('placeholders in a task become pictures of their size wherever they stand; all else stays', async t => {
  const task = { seedImage: 'picture:64x32', steps: 4, list: [{ guideImage: 'mask:16x16', weight: 0.5 }], prompt: 'picture: a cat', none: null }
  const drawn = await drawPictures(task)
  t.match(drawn, { seedImage: /^data:image\/png;base64,/, steps: 4, list: [{ guideImage: /^data:image\/png;base64,/, weight: 0.5 }], prompt: 'picture: a cat', none: null })
  t.same(await drawPictures(task), drawn)
  // Width and height stand in a PNG's header, from byte 16 on.
  const sizeOf = (uri: unknown) => {
    const bytes = Buffer.from(String(uri).split(',')[1] ?? '', 'base64')
    return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
  }
  t.same(sizeOf(drawn['seedImage']), [64, 32])
  t.same(sizeOf((drawn['list'] as [{ guideImage: string }])[0].guideImage), [16, 16])
})
