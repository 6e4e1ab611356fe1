import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createImageFetcher } from '../../../server/outbound/fetch-image.ts'
import type { FetchLimits } from '../../../server/outbound/fetch-limits.ts'

const routes: Readonly<Record<string, RequestListener>> = {
  '/picture': (_request, response) => response.end('the file'),
  '/gone': (_request, response) => response.writeHead(404).end(),
  '/long': (_request, response) => response.writeHead(200, { 'content-length': 1_000_000 }).end('x'),
  '/endless': (_request, response) => {
    const send = () => response.write('x'.repeat(1000), error => { if (!error) setImmediate(send) })
    send()
  },
  '/zipped': (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
  '/silent': () => undefined,
  '/trickle': (_request, response) => void response.write('x'),
  '/broken': (_request, response) => void response.writeHead(200, { 'content-length': 10 }).write('x', () => response.destroy()),
  '/once': (_request, response) => response.writeHead(302, { location: '/picture' }).end(),
  '/twice': (_request, response) => response.writeHead(307, { location: '/once' }).end(),
  '/loop': (_request, response) => response.writeHead(301, { location: '/loop' }).end(),
  '/inside': (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
  '/file': (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/headers': (request, response) => response.end(JSON.stringify(request.headers)),
}
let calls = 0
const server = createServer((request, response) => {
  calls++
  routes[request.url ?? '']?.(request, response)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
t.teardown(() => {
  server.closeAllConnections()
  server.close()
})

const limits: FetchLimits = { maxBytes: 100_000, timeoutMs: 60_000, privateHosts: [`127.0.0.1:${port}`] }
const never = new AbortController().signal
const get = (path: string, choices: Partial<FetchLimits> = {}) => createImageFetcher({ ...limits, ...choices })(`http://127.0.0.1:${port}${path}`, never)

t.test('a file is fetched, also over redirects', async t => {
  for (const path of ['/picture', '/once', '/twice']) t.equal(Buffer.from(await get(path)).toString(), 'the file', path)
})

t.test('nothing of the client or the server is told to the other side', async t => {
  const headers = JSON.parse(Buffer.from(await get('/headers')).toString()) as Record<string, string>
  t.same(Object.keys(headers).sort(), ['accept', 'accept-encoding', 'connection', 'host', 'user-agent'])
  t.equal(headers['accept-encoding'], 'identity')
})

t.test('what gives no file in bounds is an error that says why', async t => {
  const unreachable = { name: 'InputImageError', fault: 'unreachable' }
  await t.rejects(get('/gone'), { ...unreachable, message: /status 404/ })
  await t.rejects(get('/zipped'), { ...unreachable, message: /compressed/ })
  await t.rejects(get('/loop'), { ...unreachable, message: /more than 3 times/ })
  await t.rejects(get('/broken'), unreachable)
  await t.rejects(get('/silent', { timeoutMs: 50 }), { ...unreachable, message: /longer than 0.05 seconds/ })
  await t.rejects(get('/trickle', { timeoutMs: 50 }), { ...unreachable, message: /longer/ })
  for (const path of ['/long', '/endless']) await t.rejects(get(path), { name: 'InputImageError', fault: 'invalid', message: /at most 100000 bytes/ }, path)
})

t.test('a redirect to where the guard does not let anybody is not followed', async t => {
  for (const path of ['/inside', '/file']) await t.rejects(get(path), { name: 'InputImageError', fault: 'invalid', message: /not fetched/ }, path)
})

t.test('a private host is not even connected to', async t => {
  const before = calls
  await t.rejects(get('/picture', { privateHosts: [] }), { fault: 'invalid', message: /port/ })
  const rebinding = createImageFetcher({ ...limits, privateHosts: [] }, async () => [{ address: '127.0.0.1', family: 4 }])
  await t.rejects(rebinding('http://public.example/picture', never), { fault: 'invalid', message: /no public address/ })
  t.equal(calls, before)
})

t.test('the address that was checked is the one that is connected to', async t => {
  let asked = 0
  const fetchImage = createImageFetcher({ ...limits, privateHosts: [`name.example:${port}`] }, async () => {
    asked++
    return [{ address: '127.0.0.1', family: 4 }]
  })
  t.equal(Buffer.from(await fetchImage(`http://name.example:${port}/picture`, never)).toString(), 'the file')
  t.equal(asked, 1, 'and the name is resolved once')
})

t.test('a resolver that never answers is bound by the time too, and an abort ends a fetch with its reason', async t => {
  const stuck = createImageFetcher({ ...limits, timeoutMs: 30 }, () => new Promise(() => undefined))
  await t.rejects(stuck('http://slow.example/', never), { fault: 'unreachable', message: /longer/ })
  const abort = new AbortController()
  const fetching = createImageFetcher(limits)(`http://127.0.0.1:${port}/silent`, abort.signal)
  abort.abort(new Error('cancelled'))
  await t.rejects(fetching, { message: 'cancelled' })
})
