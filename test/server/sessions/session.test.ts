import t from 'tap'
import { AccountQuota } from '../../../server/sessions/account-quota.ts'
import { Session } from '../../../server/sessions/session.ts'
import { ManualClock } from '../helpers/manual-clock.ts'
import { testLimits } from '../helpers/started-gateway.ts'

t.test('a frame that cannot be made ends its socket, and what is owed waits for a resume', async t => {
  const error = new TypeError('There is a defect in the encoder')
  let isBroken = true
  const session = new Session({
    uuid: 's', account: 'a', limits: testLimits, quota: new AccountQuota(10), clock: new ManualClock(),
    encode: async () => {
      if (isBroken) throw error
      return 'frame'
    },
  })
  const frames: string[] = []
  const failures: unknown[] = []
  const socket = {
    hasRoom: true,
    writable: async () => undefined, write: (frame: string) => void frames.push(frame), ping: () => undefined, replaced: () => undefined, terminate: () => undefined,
    failed: (cause: unknown) => {
      failures.push(cause)
      session.detach(socket)
    },
  }
  session.attach(socket)
  session.reject({ code: 'conflictTaskUUID', message: 'It was used.', taskUUID: 't' })
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(failures, [error])
  t.strictSame(frames, [])
  isBroken = false
  session.attach({ ...socket })
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(frames, ['frame'])
})
