import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { inference, keyA, startTestGateway } from '../helpers/started-gateway.ts'

const server = await startTestGateway({ limits: { wrongKeyBurst: 3 } })
t.teardown(() => server.stop())
const neighbour = await server.login()
const port = server.gateway.address.port

/** A raw socket that has been upgraded, for frames that no client library sends. */
async function upgrade(extra = ''): Promise<{ readonly socket: Socket; readonly answer: string }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(`GET /v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${extra}\r\n`)
  const [chunk] = await once(socket, 'data') as [Buffer]
  return { socket, answer: chunk.toString('latin1') }
}

/** A masked frame with the given first byte. */
function frame(first: number, payload: Buffer, { masked = true } = {}): Buffer {
  const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255]
  length[0] = (length[0] ?? 0) | (masked ? 128 : 0)
  return Buffer.concat([Buffer.from([first, ...length]), ...(masked ? [Buffer.alloc(4)] : []), payload])
}

/** The close code of the next close frame. */
async function closeCode(socket: Socket): Promise<number> {
  let received = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk])
    const at = received.indexOf(0x88)
    if (at >= 0 && received.length >= at + 4) return received.readUInt16BE(at + 2)
  }
  return 1006
}

/** A test after which a second socket is as it was. */
function test(title: string, run: (t: Test) => Promise<void>): void {
  void t.test(title, async t => {
    await run(t)
    t.same(await neighbour.settle(), [], 'a neighbour is not disturbed')
  })
}

test('1 2 3 absurd upgrade headers are refused or ignored', async t => {
  const { answer: large } = await upgrade(`X-Large: ${'x'.repeat(20_000)}\r\n`)
  t.match(large, /^HTTP\/1\.1 431/)
  for (const name of ['constructor', '__proto__', 'permessage-deflate; server_max_window_bits=99']) {
    const { answer, socket } = await upgrade(`Sec-WebSocket-Extensions: ${name}\r\n`)
    socket.destroy()
    t.match(answer, /^HTTP\/1\.1 (101|400)/)
    t.notMatch(answer, /Sec-WebSocket-Extensions/i)
  }
})

test('5 a socket that says nothing is closed at 10 s with 4408', async t => {
  const other = await startTestGateway()
  t.teardown(() => other.stop())
  const client = await other.connect()
  other.clock.advance(9_000)
  t.equal(other.gateway.connections, 1)
  other.clock.advance(1_000)
  t.equal(await client.waitForClose(), 4408)
})

test('6 tasks that keep coming without a key end the socket', async t => {
  const client = await server.connect()
  for (let count = 0; count < 5; count++) client.send(inference())
  t.equal(await client.waitForClose(), 4401)
  t.equal(client.frames.filter(({ errors }) => errors?.[0]?.['code'] === 'missingApiKey').length, 5)
})

test('13 18 texts that are no tasks end the socket after the fifth, and an attached session waits', async t => {
  const client = await server.login()
  for (const text of ['{', '[', '7', 'null', '[]']) client.socket.send(text)
  t.equal(await client.waitForClose(), 4400)
  const again = await server.login(keyA, client.sessionUUID)
  t.equal(again.sessionUUID, client.sessionUUID)
  await again.close()
})

test('14 15 16 17 depth, prototypes, sizes and numbers of any kind give errors and nothing else', async t => {
  const texts = [
    '['.repeat(100_000), `${'['.repeat(50_000)}${']'.repeat(50_000)}`, `[${'{},'.repeat(200_000)}{}]`,
    '[{"taskType":"ping","__proto__":{"x":1},"taskUUID":"p"}]', '[{"taskType":"imageInference","taskUUID":"p","\\u005f_proto__":1}]',
    '[{"taskType":"imageInference","taskUUID":"c","constructor":{"prototype":{"a":1}}}]',
    `[{"taskType":"imageInference","taskUUID":"n","width":1e999}]`, `[{"taskType":"imageInference","taskUUID":"m","width":NaN}]`,
  ]
  for (const text of texts) {
    const client = await server.login()
    client.socket.send(text)
    const { errors } = await client.next()
    t.equal(errors?.length, 1, text.slice(0, 60))
    t.match(errors?.[0], { code: String, message: String })
    await client.close()
  }
  t.equal(({} as Record<string, unknown>)['x'], undefined)
})

test('16 the tasks beyond the most of one frame are refused one by one', async t => {
  const client = await server.login()
  client.send(...Array.from({ length: 103 }, (_, index) => ({ taskType: 'getResponse', taskUUID: `t${index}` })))
  const codes: unknown[] = []
  for (let count = 0; count < 103; count++) codes.push((await client.next()).errors?.[0]?.['code'])
  t.equal(codes.filter(code => code === 'taskNotFound').length, 100)
  t.equal(codes.filter(code => code === 'maxTasksExceeded').length, 3)
  await client.close()
})

test('24 25 frames against RFC 6455 are closed with its codes', async t => {
  const cases: readonly (readonly [string, Buffer, number])[] = [
    ['binary', frame(0x82, Buffer.from([1, 2])), 1003],
    ['not UTF-8', frame(0x81, Buffer.from([0xff, 0xfe])), 1007],
    ['unmasked', frame(0x81, Buffer.from('[]'), { masked: false }), 1002],
    ['reserved bit, as of a compressed frame', frame(0xc1, Buffer.from('[]')), 1002],
    ['reserved opcode', frame(0x83, Buffer.from('[]')), 1002],
    ['too large', Buffer.from([0x81, 255, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]), 1009],
  ]
  for (const [name, bytes, code] of cases) {
    const { socket } = await upgrade()
    socket.write(bytes)
    t.equal(await closeCode(socket), code, name)
    socket.destroy()
  }
})

test('25 more than 64 KiB before authentication is closed with 1009', async t => {
  const client = await server.connect()
  client.socket.send(`[${' '.repeat(200_000)}]`)
  // The close frame comes first; then the socket is cut, with what it sent unread.
  while (client.socket.readyState === client.socket.OPEN) await new Promise(resolve => setImmediate(resolve))
  server.clock.advance(1_000)
  t.equal(await client.waitForClose(), 1009)
})

test('26 a message of very many fragments is closed with 1008', async t => {
  const { socket } = await upgrade()
  socket.write(Buffer.concat([frame(0x01, Buffer.alloc(0)), ...Array.from({ length: 5_000 }, () => frame(0x00, Buffer.alloc(0)))]))
  t.equal(await closeCode(socket), 1008)
  socket.destroy()
})

test('28 forged pongs confirm nothing', async t => {
  server.worker.hold()
  const client = await server.login()
  const task = inference()
  client.send(task)
  await client.settle()
  client.socket.pong = () => undefined
  server.worker.unhold()
  await client.results(task.taskUUID, 1)
  const { pong } = Object.getPrototypeOf(client.socket) as { pong(data: string): void }
  for (const payload of ['1:999999', '2:1', '0:1', '-1:1', '1:-1', '1:1e9', 'x'.repeat(125), '1', ':', '1:1:1']) pong.call(client.socket, payload)
  await client.settle()
  await client.drop()
  const again = await server.login(keyA, client.sessionUUID)
  t.equal((await again.results(task.taskUUID, 1)).length, 1)
  await again.close()
})

test('34 connections that end in every improper way leave their session behind', async t => {
  const before = server.gateway.connections
  const ends: readonly ((socket: Socket) => unknown)[] = [
    socket => socket.resetAndDestroy(),
    socket => socket.end(),
    socket => socket.end(frame(0x88, Buffer.alloc(0))),
    socket => socket.end(frame(0x88, Buffer.from([0xff, 0xff]))),
    socket => socket.end(Buffer.from([0x81, 0xfe, 0x10, 0x00, 0, 0, 0, 0, 0x5b])),
  ]
  for (const end of ends) {
    const { socket } = await upgrade()
    socket.write(frame(0x81, Buffer.from(JSON.stringify([{ taskType: 'authentication', apiKey: keyA }]))))
    await once(socket, 'data')
    const closed = once(socket, 'close')
    socket.resume()
    end(socket)
    await closed
  }
  await server.whenConnections(before)
  t.equal(server.gateway.connections, before)
})

test('7 an address that keeps sending wrong keys is kept out for a while', async t => {
  for (let count = 0; count < 3; count++) {
    const client = await server.connect()
    client.send({ taskType: 'authentication', apiKey: 'wrong' })
    t.equal((await client.next()).errors?.[0]?.['code'], 'invalidApiKey')
    await client.drop()
  }
  const { answer } = await upgrade()
  t.match(answer, /^HTTP\/1\.1 429/)
  t.match(answer, /Retry-After: \d/)
  server.clock.advance(1_000)
  const { answer: later, socket } = await upgrade()
  t.match(later, /^HTTP\/1\.1 101/)
  socket.destroy()
})
