import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { inference, keyA, keyB, startTestGateway } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())

interface Body {
  readonly data?: readonly Item[]
  readonly errors?: readonly Item[]
  readonly error?: Item
}

async function post(tasks: unknown, { path = '/v1', key = keyA, ...init }: RequestInit & { readonly path?: string; readonly key?: string } = {}, url = server.httpUrl) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key && { Authorization: `Bearer ${key}` }) },
    body: typeof tasks === 'string' ? tasks : JSON.stringify(tasks),
    ...init,
  })
  return { status: response.status, headers: response.headers, body: await response.json() as Body }
}

t.test('H01 H02 both paths answer with the same results as a socket, with either kind of authentication', async t => {
  for (const path of ['/', '/v1', '/v1/', '/v1?x=1']) {
    const byHeader = await post([inference({ numberResults: 2, seed: 3, includeCost: true })], { path })
    const byElement = await post([{ taskType: 'authentication', apiKey: keyA }, inference({ numberResults: 2, seed: 3, includeCost: true })], { path, key: '' })
    for (const { status, headers, body } of [byHeader, byElement]) {
      t.equal(status, 200)
      t.match(headers.get('content-type'), /^application\/json/)
      t.same(Object.keys(body), ['data'])
      t.equal(body.data?.length, 2)
      t.same(body.data?.map(item => item['seed']), [3, 4])
      t.match(body.data?.[0], { taskType: 'imageInference', taskUUID: String, imageUUID: String, imageURL: String, cost: Number })
    }
  }
})

t.test('a body is UTF-8, with a byte order mark or without, and nothing else', async t => {
  const task = inference({ positivePrompt: 'ein Kätzchen' })
  t.equal((await post('\ufeff', { body: Buffer.from(`\ufeff${JSON.stringify([task])}`) })).status, 200)
  t.equal(server.worker.claimed.at(-1)?.request.prompt, 'ein Kätzchen')
  for (const body of [Buffer.from(JSON.stringify([task]), 'latin1'), Buffer.from([0xff]), Buffer.from(`\ufeff\ufeff${JSON.stringify([inference()])}`)]) {
    t.match(await post('', { body }), { status: 400, body: { error: { code: 'invalidJSON' } } })
  }
})

t.test('H03 errors have both spellings and the status of their kind', async t => {
  const used = inference()
  await post([used])
  const cases: readonly (readonly [unknown, number, string, string?])[] = [
    [[inference({ steps: 0 })], 400, 'invalidSteps'],
    [[inference({ model: 'local:none@1' })], 404, 'modelNotFound'],
    [[inference()], 401, 'invalidApiKey', 'wrong-key-0123456789abcdefghijklmnop'],
    [[inference()], 401, 'missingApiKey', ''],
    [[{ taskType: 'getResponse', taskUUID: 'nobody' }], 404, 'taskNotFound'],
    [[used], 409, 'conflictTaskUUID'],
    [[inference({ positivePrompt: 'fail' })], 500, 'inferenceError'],
    [[{ taskType: 'videoInference', taskUUID: 'v' }], 400, 'unsupportedTaskType'],
    ['{', 400, 'invalidJSON'],
    ['', 400, 'invalidJSON'],
    [[], 400, 'invalidRequest'],
    [{}, 400, 'invalidRequest'],
  ]
  for (const [tasks, status, code, key] of cases) {
    const answer = await post(tasks, key === undefined ? {} : { key })
    t.equal(answer.status, status, code)
    t.same(Object.keys(answer.body), ['errors', 'error'])
    t.equal(answer.body.errors?.[0]?.['code'], code)
    t.same(answer.body.error, answer.body.errors?.[0])
  }
})

t.test('H03 a full queue is 429 with a time to come back', async t => {
  const full = await startTestGateway({ queue: { submit: async () => ({ type: 'full' }), cancel: async () => undefined, cancelIfWaiting: async () => false, read: async () => undefined, subscribe: () => () => undefined } })
  t.teardown(() => full.stop())
  const response = await fetch(full.httpUrl, { method: 'POST', headers: { Authorization: `Bearer ${keyA}` }, body: JSON.stringify([inference()]) })
  t.equal(response.status, 429)
  t.ok(response.headers.get('retry-after'))
  t.match(await response.json(), { error: { code: 'rateLimitExceeded' } })
})

t.test('H04 what the AI SDK provider sends is answered as it reads it', async t => {
  const task = inference({ outputType: 'URL', outputFormat: 'PNG', outputQuality: 95, checkNSFW: false, includeCost: false, numberResults: 2 })
  const { body } = await post([task])
  t.equal(body.data?.length, 2)
  for (const item of body.data ?? []) {
    t.match(item, { taskType: 'imageInference', taskUUID: task.taskUUID, imageUUID: String, seed: Number })
    const picture = await fetch(String(item['imageURL']))
    t.same(Buffer.from(await picture.arrayBuffer()), onePixelPng)
  }
  t.equal((await post([inference({ outputType: 'base64Data' })])).body.data?.[0]?.['imageBase64Data'], onePixelPng.toString('base64'))
  t.match((await post([inference({ outputType: 'dataURI' })])).body.data?.[0]?.['imageDataURI'], /^data:image\/jpeg;base64,/)
})

t.test('H05 async tasks are acknowledged and then polled', async t => {
  const task = inference({ deliveryMethod: 'async', numberResults: 2 })
  t.same((await post([task])).body, { data: [{ taskType: 'imageInference', taskUUID: task.taskUUID }] })
  t.same((await post([task])).body, { data: [{ taskType: 'imageInference', taskUUID: task.taskUUID }] }, 'and again')
  let data = (await post([{ taskType: 'getResponse', taskUUID: task.taskUUID }])).body.data
  while (data?.some(item => item['status'] === 'processing')) data = (await post([{ taskType: 'getResponse', taskUUID: task.taskUUID }])).body.data
  t.equal(data?.filter(item => item['imageURL'] !== undefined).length, 2)
  t.equal((await post([{ taskType: 'getResponse', taskUUID: task.taskUUID }], { key: keyB })).status, 404)
})

t.test('H06 an authentication alone checks a key', async t => {
  const good = await post([{ taskType: 'authentication', apiKey: keyA }], { key: '' })
  t.equal(good.status, 200)
  t.match(good.body, { data: [{ taskType: 'authentication', connectionSessionUUID: String }] })
  const bad = await post([{ taskType: 'authentication', apiKey: 'wrong' }], { key: '' })
  t.equal(bad.status, 401)
  t.match(bad.body.errors?.[0], { code: 'invalidApiKey', taskType: 'authentication' })
})

t.test('H07 browsers may post and fetch pictures', async t => {
  const headers = { Origin: 'https://page.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type,x-sdk-name' }
  const preflight = await fetch(`${server.httpUrl}/v1`, { method: 'OPTIONS', headers })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers.get('access-control-allow-origin'), '*')
  t.match(preflight.headers.get('access-control-allow-methods'), /POST/)
  t.equal(preflight.headers.get('access-control-allow-headers'), headers['Access-Control-Request-Headers'])
  const answer = await post([inference()])
  t.equal(answer.headers.get('access-control-allow-origin'), '*')
  const picture = await fetch(String(answer.body.data?.[0]?.['imageURL']))
  t.equal(picture.headers.get('access-control-allow-origin'), '*')
})

t.test('H07 a list of origins keeps other pages out', async t => {
  const strict = await startTestGateway({ corsOrigins: ['https://page.example'] })
  t.teardown(() => strict.stop())
  for (const [origin, expected] of [['https://page.example', 'https://page.example'], ['https://evil.example', null]] as const) {
    const response = await fetch(`${strict.httpUrl}/healthz`, { headers: { Origin: origin } })
    t.equal(response.headers.get('access-control-allow-origin'), expected)
  }
})

t.test('a client that hangs up cancels its task', async t => {
  server.worker.hold()
  const task = inference()
  const before = server.worker.claimed.length
  const body = JSON.stringify([task])
  const request = httpRequest(server.httpUrl, { method: 'POST', headers: { Authorization: `Bearer ${keyA}`, 'Content-Length': body.length } })
  request.on('error', () => undefined)
  request.end(body)
  await server.worker.whenClaimed(before + 1)
  const ended = new Promise<string>(resolve => server.queue.subscribe(event => { if (event.type === 'ended') resolve(event.snapshot.status) }))
  request.destroy()
  t.equal(await ended, 'cancelled')
  server.worker.unhold()
  t.equal((await post([{ taskType: 'getResponse', taskUUID: task.taskUUID }])).body.error?.['code'], 'taskCancelled')
})

t.test('operations: health, readiness, metrics, and nothing else', async t => {
  t.same(await (await fetch(`${server.httpUrl}/healthz`)).json(), { status: 'ok' })
  t.equal((await fetch(`${server.httpUrl}/readyz`)).status, 200)
  const metrics = await fetch(`${server.httpUrl}/metrics`)
  t.match(metrics.headers.get('content-type'), /text\/plain/)
  t.match(await metrics.text(), /latentd_tasks_ended_total\{status="completed"\} \d+/)
  for (const path of ['/images', '/images/', '/images/../etc/passwd', '/images/%2e%2e/x.png', '/images/00000000-0000-4000-8000-000000000000.png', '/v2', '/metrics/x', '//']) {
    t.equal((await fetch(server.httpUrl + path)).status, 404, path)
  }
  t.equal((await fetch(`${server.httpUrl}/v1`)).status, 405)
  t.equal((await fetch(`${server.httpUrl}/healthz`, { method: 'DELETE' })).status, 405)
})

t.test('readiness follows the workers and the drain', async t => {
  let isReady = false
  const other = await startTestGateway({ isReady: () => isReady })
  t.teardown(() => other.stop())
  const status = async () => (await fetch(`${other.httpUrl}/readyz`)).status
  t.equal(await status(), 503)
  isReady = true
  t.equal(await status(), 200)
  other.gateway.drain()
  t.equal(await status(), 503)
})

t.test('a body that is too large or no text is refused', async t => {
  const small = await startTestGateway({ limits: { maxFrameBytes: 2048 } })
  t.teardown(() => small.stop())
  const send = (body: string | Uint8Array<ArrayBuffer>) => fetch(small.httpUrl, { method: 'POST', headers: { Authorization: `Bearer ${keyA}` }, body })
  t.equal((await send('x'.repeat(4096))).status, 413)
  t.match(await (await send(new Uint8Array([0x5b, 0xff, 0xfe, 0x5d]))).json(), { error: { code: 'invalidJSON' } })
  t.equal((await send(JSON.stringify([inference()]))).status, 200)
})

t.test('of a body without a good key no more is read than authentication takes', async t => {
  const small = await startTestGateway({ limits: { maxUnauthenticatedBytes: 2048 } })
  t.teardown(() => small.stop())
  /** Sends a part of a body that never ends; the answer has to come all the same. */
  const begin = async (start: string, headers: Record<string, string> = {}) => {
    const request = httpRequest(small.httpUrl, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked', ...headers } })
    request.on('error', () => undefined)
    request.write(start)
    const response = await new Promise<IncomingMessage>(resolve => request.once('response', resolve))
    const body = JSON.parse(Buffer.concat(await response.toArray()).toString()) as Body
    request.destroy()
    return { status: response.statusCode, code: body.error?.['code'], connection: response.headers.connection }
  }
  const padding = ' '.repeat(4096)
  const bad = 'wrong-key-0123456789abcdefghijklmnop'
  const element = (apiKey: string) => `[ {"taskType":"authentication","apiKey":${JSON.stringify(apiKey)}},`
  t.same(await begin(`[${padding}`), { status: 401, code: 'missingApiKey', connection: 'close' })
  t.same(await begin(`[${padding}`, { Authorization: `Bearer ${bad}` }), { status: 401, code: 'invalidApiKey', connection: 'close' })
  t.equal((await begin(element(bad) + padding)).status, 401)
  for (const [key, start] of [[keyA, '['], ['', element(keyA)]] as const) {
    t.equal((await post('', { body: `${start}${padding}${JSON.stringify(inference())}]`, key, path: '/v1' }, small.httpUrl)).status, 200, 'and of one with a good key all of it')
  }
})

t.test('pictures inside one answer are bounded: those of the tasks that are too many can be read one by one', async t => {
  const bytes = new Uint8Array(3000)
  const small = await startTestGateway({ limits: { maxInlineBytes: 10_000 }, bytes })
  t.teardown(() => small.stop())
  const tasks = Array.from({ length: 3 }, () => inference({ outputType: 'base64Data', numberResults: 2 }))
  for (const task of tasks) t.equal((await post([task], {}, small.httpUrl)).status, 200)
  const polls = tasks.map(({ taskUUID }) => ({ taskType: 'getResponse', taskUUID }))
  t.equal((await post(polls.slice(0, 1), {}, small.httpUrl)).body.data?.length, 2)
  const both = await post(polls, {}, small.httpUrl)
  t.equal(both.status, 413)
  t.match(both.body.errors, polls.slice(1).map(({ taskType, taskUUID }) => ({ code: 'maxResponseSizeExceeded', taskType, taskUUID, max: 10_000 })))
  const large = inference({ outputType: ['base64Data', 'dataURI'], numberResults: 4 })
  t.equal((await post([large], {}, small.httpUrl)).body.data?.length, 4, 'one task alone may have pictures of any size')
  const byUrl = await post([...tasks, large].map(() => inference({ numberResults: 4 })), {}, small.httpUrl)
  t.equal(byUrl.body.data?.length, 16, 'addresses of pictures are no pictures')
})

t.test('answers with pictures inside wait until an account has taken those before them', async t => {
  const bytes = new Uint8Array(6 * 2 ** 20)
  const small = await startTestGateway({ limits: { maxInlineBytes: 10 * 2 ** 20 }, bytes })
  t.teardown(() => small.stop())
  const task = inference({ outputType: 'base64Data' })
  t.equal((await post([task], {}, small.httpUrl)).status, 200)
  const body = JSON.stringify([{ taskType: 'getResponse', taskUUID: task.taskUUID }])
  const ask = (key: string) => {
    const request = httpRequest(small.httpUrl, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Length': body.length } })
    request.on('error', () => undefined)
    request.end(body)
    return { request, response: new Promise<IncomingMessage>(resolve => request.once('response', resolve)) }
  }
  const first = ask(keyA)
  await first.response // whose body is not read
  const second = ask(keyA)
  let hasAnswer = false
  void second.response.then(() => { hasAnswer = true })
  t.equal((await post([inference()], { key: keyB }, small.httpUrl)).status, 200, 'others go on')
  t.equal((await post([inference()], {}, small.httpUrl)).status, 200, 'and so do answers without pictures inside')
  t.notOk(hasAnswer)
  first.request.destroy()
  const length = (await (await second.response).toArray()).reduce((sum: number, chunk: Buffer) => sum + chunk.length, 0)
  t.ok(length > bytes.length)
})
