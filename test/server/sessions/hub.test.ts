import t from 'tap'
import type { Test } from 'tap'
import { Hub } from '../../../server/sessions/hub.ts'
import { Session } from '../../../server/sessions/session.ts'
import type { SessionSocket } from '../../../server/sessions/session-socket.ts'
import { ManualClock } from '../helpers/manual-clock.ts'
import { testLimits } from '../helpers/started-gateway.ts'

function makeHub(limits: Partial<typeof testLimits> = {}) {
  const clock = new ManualClock()
  let count = 0
  const hub = new Hub({ limits: { ...testLimits, ...limits }, clock, makeUuid: () => `s${count++}`, encode: async () => 'frame', onExpired: () => undefined })
  return { hub, clock }
}

function makeSocket(): SessionSocket {
  const ignore = () => undefined
  return { hasRoom: true,
  writable: async () => undefined, write: ignore, ping: ignore, replaced: ignore, failed: ignore, terminate: ignore }
}

/** Opens a session for a client that is there. */
function come(hub: Hub, account: string): { readonly session: Session; leave(): void } {
  const session = hub.open(account, undefined)
  const socket = makeSocket()
  hub.attach(session, socket)
  return { session, leave: () => hub.detach(session, socket) }
}

/** Counts how often sessions are asked whether they wait, what they owe and whether they are stuck. */
function countLooks(t: Test): () => number {
  let looks = 0
  for (const name of ['detachedAt', 'size'] as const) {
    const property = Object.getOwnPropertyDescriptor(Session.prototype, name)
    if (!property?.get) throw new Error(`There is no getter ${name}`)
    const { get } = property
    Object.defineProperty(Session.prototype, name, { ...property, get(this: Session) { looks++; return get.call(this) as unknown } })
    t.teardown(() => Object.defineProperty(Session.prototype, name, property))
  }
  return () => looks
}

t.test('a disconnect looks at few sessions, however many there are', t => {
  const { hub } = makeHub()
  const clients = Array.from({ length: 2000 }, (_, index) => come(hub, `a${index % 50}`))
  const looks = countLooks(t)
  for (const { leave } of clients) leave()
  t.equal(hub.detached, 2000)
  t.ok(looks() <= 2 * clients.length, `${looks()} looks`)
  t.end()
})

t.test('a sweep looks for expired sessions among those that wait longest, and stops at the first that has time left', t => {
  const { hub, clock } = makeHub({ maxDetachedPerAccount: 10_000 })
  const clients = Array.from({ length: 1000 }, () => come(hub, 'a'))
  const [first, second] = clients
  first?.leave()
  second?.leave()
  clock.advance(testLimits.resumeMs - 1)
  for (const { leave } of clients.slice(2)) leave()
  clock.advance(1)
  const looks = countLooks(t)
  hub.sweep()
  t.equal(hub.size, 998)
  t.ok(looks() <= 10, `${looks()} looks`)
  t.end()
})

t.test('of too many waiting sessions the longest waiting that owes nothing goes, one that came back in between is the youngest', t => {
  const { hub } = makeHub({ maxDetachedPerAccount: 2 })
  const [owing, returning, third, other] = [come(hub, 'a'), come(hub, 'a'), come(hub, 'a'), come(hub, 'b')]
  owing.session.reject({ code: 'conflictTaskUUID', message: 'It was used.', taskUUID: 't' })
  owing.leave()
  returning.leave()
  other.leave()
  const socket = makeSocket()
  hub.attach(returning.session, socket)
  third.leave()
  hub.detach(returning.session, socket)
  t.strictSame([owing, returning, third, other].map(({ session }) => session.hasExpired), [false, false, true, false])
  const fourth = come(hub, 'a')
  fourth.session.reject({ code: 'conflictTaskUUID', message: 'It was used.', taskUUID: 't' })
  returning.session.reject({ code: 'conflictTaskUUID', message: 'It was used.', taskUUID: 't' })
  fourth.leave()
  t.strictSame([owing, returning, fourth].map(({ session }) => session.hasExpired), [true, false, false], 'where all owe something, the longest waiting')
  t.equal(hub.find(owing.session.uuid), undefined)
  t.end()
})
