import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createImageUploader } from '../../../server/outbound/upload-image.ts'

/** What the server got, in order. */
const received: { readonly method: string | undefined; readonly path: string | undefined; readonly headers: IncomingHttpHeaders; readonly body: string }[] = []
/** Statuses to answer with, the last one again and again. */
let statuses: number[] = [200]
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', chunk => void chunks.push(chunk as Buffer))
  request.on('end', () => {
    received.push({ method: request.method, path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() })
    if (request.url === '/silent') return
    if (request.url === '/cut' && received.length === 1) return void request.socket.destroy()
    const status = statuses.length > 1 ? statuses.shift() ?? 200 : statuses[0] ?? 200
    response.writeHead(status, { location: '/elsewhere' }).end()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
t.teardown(() => {
  server.closeAllConnections()
  server.close()
})
t.beforeEach(() => {
  received.length = 0
  statuses = [200]
})

const upload = { bytes: Buffer.from('the picture'), mediaType: 'image/webp' }
const never = new AbortController().signal
const send = (path: string, timeoutMs = 60_000) =>
  createImageUploader({ timeoutMs, privateHosts: [`127.0.0.1:${port}`] })(`http://127.0.0.1:${port}${path}`, upload, never)

t.test('a picture is put with its type and length, and nothing of the server is told', async t => {
  await send('/bucket/picture.webp?signature=x')
  t.match(received, [{ method: 'PUT', path: '/bucket/picture.webp?signature=x', body: 'the picture', headers: { 'content-type': 'image/webp', 'content-length': '11' } }])
  t.same(Object.keys(received[0]?.headers ?? {}).sort(), ['connection', 'content-length', 'content-type', 'host', 'user-agent'])
})

t.test('what fails in passing is tried three times', async t => {
  statuses = [503, 429, 201]
  await send('/')
  t.equal(received.length, 3)
  received.length = 0
  statuses = [500]
  await t.rejects(send('/'), { name: 'UploadError', message: /status 500/ })
  t.equal(received.length, 3)
})

t.test('a connection that breaks is tried again', async t => {
  await send('/cut')
  t.equal(received.length, 2)
})

t.test('a refusal and a redirect are final', async t => {
  for (const status of [403, 404, 301, 307]) {
    received.length = 0
    statuses = [status]
    await t.rejects(send('/'), { name: 'UploadError', message: new RegExp(`status ${status}`) })
    t.equal(received.length, 1)
  }
})

t.test('one that does not answer is given up in time', async t => {
  await t.rejects(send('/silent', 50), { name: 'UploadError', message: /longer than 0.05 seconds/ })
})

t.test('a host inside is not connected to, whatever its name says', async t => {
  const uploader = createImageUploader({ timeoutMs: 60_000, privateHosts: [] }, async () => [{ address: '127.0.0.1', family: 4 }])
  await t.rejects(uploader('http://bucket.example/x', upload, never), { name: 'UploadError', message: /no public address/ })
  await t.rejects(uploader('http://[::1]/x', upload, never), { name: 'UploadError', message: /no public address/ })
  t.equal(received.length, 0)
})

t.test('an abort ends it with its reason', async t => {
  const abort = new AbortController()
  const sending = createImageUploader({ timeoutMs: 60_000, privateHosts: [`127.0.0.1:${port}`] })(`http://127.0.0.1:${port}/silent`, upload, abort.signal)
  abort.abort(new Error('cancelled'))
  await t.rejects(sending, { message: 'cancelled' })
})
