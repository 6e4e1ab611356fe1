import t from 'tap'
import type { WebSocket } from 'ws'
import { SocketWriter } from '../../../server/gateway/socket-writer.ts'
import { ManualClock } from '../helpers/manual-clock.ts'

/** A writer over a socket and a stream that only note what they are told. */
function notedWriter() {
  const notes: string[] = []
  const socket = {
    bufferedAmount: 0,
    send: (text: string) => void notes.push(text.length > 10 ? 'long' : text),
    ping: (payload: string) => void notes.push(payload),
    pause() {},
    resume() {},
  } as unknown as WebSocket // only what a writer uses of it
  const stream = { cork: () => void notes.push('hold'), uncork: () => void notes.push('let go') }
  return { notes, writer: new SocketWriter({ socket, stream, clock: new ManualClock(), maxBufferedBytes: 1000 }) }
}

t.test('what is written in one turn goes out together, promises of that turn included', async t => {
  const { notes, writer } = notedWriter()
  writer.write('a')
  writer.ping('1:1')
  await Promise.resolve()
  writer.write('b')
  t.same(notes, ['hold', 'a', '1:1', 'b'])
  await new Promise(resolve => setImmediate(resolve))
  t.same(notes.splice(0), ['hold', 'a', '1:1', 'b', 'let go'])
  writer.write('c')
  await new Promise(resolve => setImmediate(resolve))
  t.same(notes, ['hold', 'c', 'let go'], 'the next turn is held and let go again')
})

t.test('a long text does not wait for the end of the turn, nor does what came before it', async t => {
  const { notes, writer } = notedWriter()
  writer.write('a')
  writer.write('x'.repeat(100_000))
  t.same(notes.splice(0), ['hold', 'a', 'long', 'let go'])
  writer.write('b')
  await new Promise(resolve => setImmediate(resolve))
  t.same(notes, ['hold', 'b', 'let go'])
})

t.test('a closed writer holds nothing back', async t => {
  const { notes, writer } = notedWriter()
  writer.close()
  writer.write('a')
  writer.ping('1:1')
  t.same(notes, [])
})
