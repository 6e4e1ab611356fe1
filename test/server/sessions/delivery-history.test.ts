import t from 'tap'
import { inference, keyA, keyB, startTestGateway } from '../helpers/started-gateway.ts'
import type { StartedGateway } from '../helpers/started-gateway.ts'
import { WireClient } from '../../helpers/wire-client.ts'
import type { Item } from '../../helpers/wire-client.ts'

/** A small generator with a seed, so that a history that fails can be run again (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One user: what it submitted, and everything any of its sockets heard. */
interface User {
  readonly key: string
  readonly submitted: Map<string, number>
  readonly sockets: WireClient[]
  client: WireClient
  sessionUUID: string
}

async function connect(server: StartedGateway, user: Pick<User, 'key' | 'sockets'>, sessionUUID?: string) {
  const client = await WireClient.open(`${server.url}/v1`)
  user.sockets.push(client)
  return { client, sessionUUID: await client.authenticate(user.key, sessionUUID) }
}

function heard({ sockets }: User): readonly Item[] {
  return sockets.flatMap(({ frames }) => frames).flatMap(({ data = [], errors = [] }) => [...data, ...errors]).filter(item => item['taskUUID'] !== undefined)
}

function imagesOf(user: User, taskUUID: string): ReadonlySet<unknown> {
  return new Set(heard(user).filter(item => item['taskUUID'] === taskUUID && item['imageUUID'] !== undefined).map(item => item['imageUUID']))
}

for (const seed of [1, 2, 3]) {
  t.test(`drops, stalls and resumes lose nothing and mix nothing up (seed ${seed})`, async t => {
    const server = await startTestGateway({ limits: { maxItems: 200 } })
    t.teardown(() => server.stop())
    const random = createRandom(seed)
    const committed = new Map<string, Set<string>>()
    server.queue.subscribe(event => {
      if (event.type !== 'result') return
      const { taskUUID } = event.record
      committed.set(taskUUID, (committed.get(taskUUID) ?? new Set()).add(event.result.imageUUID))
    })
    const users: User[] = []
    for (const key of [keyA, keyA, keyB]) {
      const user = { key, submitted: new Map<string, number>(), sockets: [] }
      users.push({ ...user, ...await connect(server, user) })
    }
    for (let step = 0; step < 300; step++) {
      const user = users[Math.floor(random() * users.length)]
      if (!user) throw new Error('There are users')
      const dice = random()
      if (dice < 0.5) {
        const task = inference({ numberResults: 1 + Math.floor(random() * 3), positivePrompt: random() < 0.1 ? 'failAfter1' : 'a cat', ...(random() < 0.2 && { outputType: 'base64Data' }) })
        user.client.send(task)
        user.submitted.set(task.taskUUID, Number(task['numberResults']))
        // A task that is lost with its socket was never accepted; so wait until it has been.
        await user.client.settle()
      } else if (dice < 0.7) {
        if (random() < 0.5) user.client.socket.pong = () => undefined
        if (random() < 0.5) user.client.socket.terminate()
        const { client, sessionUUID } = await connect(server, user, user.sessionUUID)
        t.equal(sessionUUID, user.sessionUUID, 'resumed')
        user.client = client
      } else if (dice < 0.8) {
        server.worker.hold()
      } else {
        server.worker.unhold()
        server.clock.advance(300)
      }
      // I7: what is owed never exceeds the cap of a session times the sessions.
      t.ok(server.gateway.owedItems <= 200 * users.length)
    }
    server.worker.unhold()
    await until(() => server.queue.unfinished === 0)
    for (const user of users) {
      user.client = (await connect(server, user, user.sessionUUID)).client
      server.clock.advance(300)
      await user.client.roundTrip()
    }
    await until(() => server.gateway.owedItems === 0)
    for (const user of users) {
      for (const [taskUUID, numberResults] of user.submitted) {
        const seen = imagesOf(user, taskUUID)
        const failed = heard(user).some(item => item['taskUUID'] === taskUUID && (item['code'] !== undefined || item['status'] === 'error'))
        // I1: accepted = delivered or failed. I2: only what was committed. I3: never more pictures than asked for.
        t.same(seen, committed.get(taskUUID) ?? new Set(), 'every committed picture, and no other')
        t.ok(failed || seen.size === numberResults, 'a task without all its pictures has an error')
        t.ok(seen.size <= numberResults)
      }
      // I6: nothing of anybody else.
      t.ok(heard(user).every(item => user.submitted.has(String(item['taskUUID']))))
      // F03, 2.6: no error is written twice as an error.
      const errors = user.sockets.flatMap(({ frames }) => frames).flatMap(({ errors = [] }) => errors).map(error => error['taskUUID'])
      t.equal(errors.length, new Set(errors).size, 'an error is an error once')
    }
    for (const { sockets } of users) for (const { socket } of sockets) socket.terminate()
    await server.whenConnections(0)
    server.clock.advance(121_000)
    // I8: nothing is left.
    t.equal(server.gateway.sessions, 0)
    t.equal(server.gateway.owedItems, 0)
  })
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setImmediate(resolve))
}
