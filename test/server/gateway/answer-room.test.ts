import t from 'tap'
import { AnswerRoom } from '../../../server/gateway/answer-room.ts'

const never = new AbortController().signal

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  const next = new Promise(resolve => setImmediate(() => resolve(open)))
  return (await Promise.race([promise.catch(() => undefined), next])) !== open
}

t.test('answers of one account wait in order until there is room, those of others do not', async t => {
  const room = new AnswerRoom(100)
  const leave = await room.enter('a', 60, never)
  const second = room.enter('a', 50, never)
  const third = room.enter('a', 10, never)
  t.equal(await isSettled(second), false)
  t.equal(await isSettled(third), false, 'although there is room for it: nobody is overtaken')
  await room.enter('b', 100, never)
  await room.enter('a', 0, never)
  leave()
  const leaveSecond = await second
  await third
  const fourth = room.enter('a', 41, never)
  t.equal(await isSettled(fourth), false)
  leaveSecond()
  await fourth
})

t.test('one that is larger than the room goes alone', async t => {
  const room = new AnswerRoom(100)
  const leave = await room.enter('a', 1000, never)
  const next = room.enter('a', 1, never)
  t.equal(await isSettled(next), false)
  leave()
  const leaveNext = await next
  const large = room.enter('a', 101, never)
  t.equal(await isSettled(large), false)
  leaveNext()
  await large
})

t.test('who is gone waits no longer and holds nobody up', async t => {
  const room = new AnswerRoom(100)
  const leave = await room.enter('a', 60, never)
  const gone = new AbortController()
  const waiting = room.enter('a', 90, gone.signal)
  const behind = room.enter('a', 40, never)
  gone.abort(new Error('gone'))
  await t.rejects(waiting, { message: 'gone' })
  await behind
  await t.rejects(room.enter('a', 90, AbortSignal.abort(new Error('gone'))), { message: 'gone' })
  leave()
})
