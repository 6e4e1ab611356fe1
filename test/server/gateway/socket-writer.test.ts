import t from 'tap'
import type { WebSocket } from 'ws'
import { SocketWriter } from '../../../server/gateway/socket-writer.ts'
import { ManualClock } from '../helpers/manual-clock.ts'

/** A writer over a socket and a stream that only note what they are told: the payloads of each write. */
function notedWriter({ readyState = 1 } = {}) {
  const writes: string[] = []
  const socket = { bufferedAmount: 0, readyState, OPEN: 1, pause() {}, resume() {} }
  const stream = { write: (bytes: Buffer) => writes.push(payloadsOf(bytes).join(' ')) > 0 }
  const writer = new SocketWriter({
    socket: socket as unknown as WebSocket, // only what a writer uses of it
    stream, clock: new ManualClock(), maxBufferedBytes: 200_000,
  })
  return { writes, socket, writer }
}

/** The payloads of unmasked frames, as RFC 6455 lays them out; a long one by its length. */
function payloadsOf(bytes: Buffer): readonly string[] {
  const payloads: string[] = []
  for (let at = 0; at < bytes.length;) {
    const mark = bytes.readUInt8(at + 1)
    const [start, length] = mark < 126 ? [at + 2, mark] : mark === 126 ? [at + 4, bytes.readUInt16BE(at + 2)] : [at + 10, Number(bytes.readBigUInt64BE(at + 2))]
    const name = bytes.readUInt8(at) === 0x81 ? 'text' : bytes.readUInt8(at) === 0x89 ? 'ping' : 'other'
    payloads.push(`${name}:${length > 20 ? length : bytes.toString('utf8', start, start + length)}`)
    at = start + length
  }
  return payloads
}

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

t.test('what is written in one turn goes out together, promises of that turn included', async t => {
  const { writes, writer } = notedWriter()
  writer.write('a')
  writer.ping('1:1')
  await Promise.resolve()
  writer.write('bü')
  t.same(writes, [])
  await nextTurn()
  t.same(writes.splice(0), ['text:a ping:1:1 text:bü'])
  writer.write('c')
  await nextTurn()
  t.same(writes, ['text:c'])
})

t.test('frames of every form of length are laid out as RFC 6455 says', async t => {
  const { writes, writer } = notedWriter()
  for (const length of [0, 125, 126, 65_535]) writer.write('x'.repeat(length))
  writer.write('ü'.repeat(40_000))
  await nextTurn()
  t.same(writes.join(' '), 'text: text:125 text:126 text:65535 text:80000')
})

t.test('a long text does not wait for the end of the turn, nor does what came before it', async t => {
  const { writes, writer } = notedWriter()
  writer.write('a')
  writer.write('x'.repeat(100_000))
  t.same(writes.splice(0), ['text:a text:100000'])
  writer.write('b')
  await nextTurn()
  t.same(writes, ['text:b'])
})

t.test('what is held back counts as what waits in the socket', async t => {
  const { socket, writer } = notedWriter()
  socket.bufferedAmount = 199_990
  writer.write('12345')
  t.equal(writer.hasRoom, true)
  writer.write('678901')
  t.equal(writer.hasRoom, false)
})

t.test('what was gathered goes out before something else does', async t => {
  const { writes, writer } = notedWriter()
  writer.write('a')
  writer.flush()
  t.same(writes, ['text:a'])
  await nextTurn()
  t.same(writes, ['text:a'], 'once')
})

t.test('a closed writer holds nothing back, and one whose socket is closing writes nothing after the close frame', async t => {
  const { writes, writer } = notedWriter()
  writer.close()
  writer.write('a')
  writer.ping('1:1')
  const closing = notedWriter({ readyState: 2 })
  closing.writer.write('a')
  await nextTurn()
  t.same([...writes, ...closing.writes], [])
})
