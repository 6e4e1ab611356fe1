import t from 'tap'
import { Attachment } from '../../../server/sessions/attachment.ts'
import { Outbox } from '../../../server/sessions/outbox.ts'
import { ManualClock } from '../helpers/manual-clock.ts'

/** An attachment whose socket notes what it is given. */
function noted({ maxUnconfirmedFrames = 64 } = {}) {
  const notes: string[] = []
  const clock = new ManualClock()
  const outbox = new Outbox()
  const socket = {
    hasRoom: true,
    writable: () => Promise.resolve(),
    write: (frame: string) => void notes.push(frame),
    ping: (payload: string) => void notes.push(`ping ${payload}`),
    replaced() {},
    failed: (error: unknown) => { throw error },
    terminate() {},
  }
  const attachment = new Attachment({ socket, generation: 7, outbox, clock, stallMs: 20_000, maxUnconfirmedFrames, encode: ({ seq }) => `frame ${seq}` })
  const owe = (count = 1) => {
    for (let left = count; left > 0; left--) {
      outbox.add({ type: 'error', error: { code: 'inferenceError', message: 'x' } })
      attachment.advance()
    }
  }
  return { notes, clock, attachment, owe }
}

t.test('the first frame is confirmed at once, those after it together once the distance is kept', t => {
  const { notes, clock, attachment, owe } = noted()
  owe()
  t.same(notes.splice(0), ['frame 1', 'ping 7:1'])
  attachment.confirm('7:1')
  owe(3)
  t.same(notes.splice(0), ['frame 2', 'frame 3', 'frame 4'])
  clock.advance(49)
  t.same(notes, [])
  clock.advance(1)
  t.same(notes.splice(0), ['ping 7:4'])
  t.equal(attachment.confirm('7:4'), 3)
  t.equal(clock.timers, 0)
  t.end()
})

t.test('with many frames unconfirmed no distance is kept, so writing goes on', t => {
  const { notes, attachment, owe } = noted({ maxUnconfirmedFrames: 4 })
  owe()
  attachment.confirm('7:1')
  notes.splice(0)
  owe(6)
  t.same(notes.splice(0), ['frame 2', 'frame 3', 'ping 7:3', 'frame 4', 'frame 5'], 'four are under way')
  attachment.confirm('7:3')
  t.same(notes.splice(0), ['ping 7:5', 'frame 6', 'frame 7'])
  t.end()
})

t.test('an ended attachment asks for nothing more', t => {
  const { notes, clock, attachment, owe } = noted()
  owe()
  attachment.confirm('7:1')
  owe()
  notes.splice(0)
  attachment.end()
  clock.advance(1_000)
  t.same(notes, [])
  t.equal(clock.timers, 0)
  t.end()
})
