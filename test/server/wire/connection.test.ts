import t from 'tap'
import { createApiKey } from '../../../server/access/api-key.ts'
import { inference, keyA, keyB, startTestGateway } from '../helpers/started-gateway.ts'
import { WireClient } from '../../helpers/wire-client.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const wrongKey = 'wrong-key-0123456789abcdefghijklmnop'

t.test('C01 upgrades on every path and with every query', async t => {
  for (const path of ['', '/', '/v1', '/v1/', '/v1?sdk=js&version=1.3.2', '/?sdk=js&version=1.3.2', '/v1?tenant=a&sdk=js&version=1.3.2&dryRun=1']) {
    const client = await server.connect(path)
    t.match(await client.authenticate(keyA), uuid, path)
    await client.close()
  }
})

t.test('C02 upgrades with any Origin, unknown headers, and chooses no subprotocol', async t => {
  const headerSets: readonly Record<string, string>[] = [{}, { Origin: 'https://somewhere.example' }, { Origin: 'null', 'X-SDK-Name': 'js', 'X-SDK-Future': '9' }]
  for (const headers of headerSets) {
    const client = await WireClient.open(`${server.url}/v1`, { headers })
    t.match(await client.authenticate(keyA), uuid)
    await client.close()
  }
  // This client library refuses a server that answers none of the protocols it asked for, so a bare request asks.
  const { socket } = new WireClient(`${server.url}/v1`, { protocols: ['anything'] })
  const [answer] = await new Promise<[{ headers: Record<string, unknown>; statusCode?: number }]>(resolve => socket.on('upgrade', response => resolve([response])))
  t.equal(answer.statusCode, 101)
  t.equal(answer.headers['sec-websocket-protocol'], undefined)
})

t.test('C03 upgrades without compression whether or not it is offered', async t => {
  for (const perMessageDeflate of [true, false]) {
    const client = await WireClient.open(`${server.url}/v1`, { perMessageDeflate })
    t.match(await client.authenticate(keyA), uuid)
    t.equal(client.socket.extensions, '')
    await client.close()
  }
})

t.test('C04 says nothing before it is asked', async t => {
  const { clock, connect, stop } = await startTestGateway()
  t.teardown(stop)
  const client = await connect()
  const heard: string[] = []
  client.socket.on('ping', () => heard.push('ping'))
  clock.advance(9_000)
  t.same(await client.settle(), [], 'the first frame is the pong that was asked for')
  t.same(heard, [])
})

t.test('C05 answers an authentication in any key order with one item alone in its frame', async t => {
  const client = await server.connect()
  client.socket.send(`[{"apiKey":"${keyA}","taskType":"authentication"}]`)
  const first = await client.next()
  t.same(Object.keys(first), ['data'])
  t.equal(first.data?.length, 1)
  t.equal(first.data?.[0]?.['taskType'], 'authentication')
  t.match(first.data?.[0]?.['connectionSessionUUID'], uuid)
  t.same(await client.settle(), [])
  await client.close()
})

t.test('C06 answers the authentication before anything that is replayed', async t => {
  const first = await server.login()
  server.worker.hold()
  const task = inference()
  first.send(task)
  await first.settle()
  await first.drop()
  server.worker.unhold()
  await server.whenConnections(0)
  const second = await server.connect()
  second.send({ taskType: 'authentication', apiKey: keyA, connectionSessionUUID: first.sessionUUID })
  t.equal((await second.next()).data?.[0]?.['connectionSessionUUID'], first.sessionUUID)
  t.equal((await second.results(task.taskUUID, 1))[0]?.['taskUUID'], task.taskUUID)
  await second.close()
})

t.test('C07 gives two connections of one key different sessions', async t => {
  const [one, two] = [await server.login(), await server.login()]
  t.not(one.sessionUUID, two.sessionUUID)
  await Promise.all([one.close(), two.close()])
})

t.test('C08 C09 refuses a wrong key in both spellings', async t => {
  for (const apiKey of [wrongKey, '', 'x', '\u0000', 'k'.repeat(30_000), 7, null, ['a'], {}]) {
    const client = await server.connect()
    client.send({ taskType: 'authentication', apiKey })
    const { errors, error, data } = await client.next()
    t.equal(data, undefined)
    t.equal(errors?.length, 1)
    t.equal(errors?.[0]?.['taskType'], 'authentication')
    t.equal(errors?.[0]?.['parameter'], 'apiKey')
    t.type(errors?.[0]?.['message'], 'string')
    t.match(errors?.[0]?.['code'], /ApiKey/)
    if (apiKey === wrongKey) {
      t.equal(errors?.[0]?.['code'], 'invalidApiKey')
      t.match(String(errors?.[0]?.['message']).toLowerCase(), /invalid api key/)
    }
    t.same(error, errors?.[0])
    await client.drop()
  }
})

t.test('C10 C11 C12 the refusal comes at once, and the close only 250 ms later', async t => {
  const { clock, connect, stop } = await startTestGateway()
  t.teardown(stop)
  const client = await connect()
  let code: number | undefined
  client.socket.on('close', closeCode => { code = closeCode })
  client.send({ taskType: 'authentication', apiKey: wrongKey }, { taskType: 'ping', ping: true })
  t.equal((await client.next()).errors?.[0]?.['code'], 'invalidApiKey')
  clock.advance(249)
  // An RFC 6455 ping is answered by a socket that is open.
  const ponged = new Promise(resolve => client.socket.once('pong', resolve))
  client.socket.ping()
  await ponged
  t.equal(code, undefined)
  t.equal(client.frames.length, 1, 'what follows in the frame is not heard')
  clock.advance(1)
  t.equal(await client.waitForClose(), 4401)
})

t.test('C13 refuses a task before authentication under its own name, and stays usable', async t => {
  const client = await server.connect()
  const task = inference()
  client.send(task)
  const { errors } = await client.next()
  t.equal(errors?.[0]?.['code'], 'missingApiKey')
  t.equal(errors?.[0]?.['taskUUID'], task.taskUUID)
  t.equal(errors?.[0]?.['taskType'], 'imageInference')
  t.match(await client.authenticate(keyA), uuid)
  client.send(task)
  t.equal((await client.results(task.taskUUID, 1)).length, 1, 'nothing had been queued under that taskUUID')
  await client.close()
})

t.test('C14 answers a ping right behind the authentication, and one before it', async t => {
  const client = await server.connect()
  client.send({ taskType: 'ping', ping: true })
  client.send({ taskType: 'authentication', apiKey: keyA })
  client.send({ taskType: 'ping', ping: true })
  t.same(await client.next(), { data: [{ taskType: 'ping', pong: true }] })
  t.match((await client.next()).data?.[0]?.['connectionSessionUUID'], uuid)
  t.same(await client.next(), { data: [{ taskType: 'ping', pong: true }] })
  await client.close()
})

t.test('C15 answers a second authentication like the first', async t => {
  const client = await server.login()
  t.equal(await client.authenticate(keyA), client.sessionUUID)
  t.equal(await client.authenticate(keyA, client.sessionUUID), client.sessionUUID)
  const task = inference()
  client.send(task)
  t.equal((await client.results(task.taskUUID, 1)).length, 1)
  await client.close()
})

t.test('C15 another account on a live socket is refused, and the session is left as it was', async t => {
  const { clock, connect, login, stop, whenConnections } = await startTestGateway()
  t.teardown(stop)
  const client = await login()
  client.send({ taskType: 'authentication', apiKey: keyB })
  t.equal((await client.next()).errors?.[0]?.['code'], 'invalidAuthentication')
  clock.advance(250)
  t.equal(await client.waitForClose(), 4401)
  await whenConnections(0)
  const again = await connect()
  t.equal(await again.authenticate(keyA, client.sessionUUID), client.sessionUUID)
})

t.test('C16 C17 an unknown, invented or malformed session UUID gives a fresh session', async t => {
  const invented = '11111111-1111-4111-8111-111111111111'
  for (const connectionSessionUUID of [invented, 'not-a-uuid', '', 7, ['x'], { a: 1 }, null, 'u'.repeat(10_000)]) {
    const client = await server.connect()
    client.send({ taskType: 'authentication', apiKey: keyA, connectionSessionUUID })
    const fresh = (await client.next()).data?.[0]?.['connectionSessionUUID']
    t.match(fresh, uuid)
    t.not(fresh, invented)
    await client.close()
  }
})

t.test('C18 the session of another key is never resumed', async t => {
  const first = await server.login(keyA)
  server.worker.hold()
  const task = inference()
  first.send(task)
  await first.settle()
  await first.drop()
  await server.whenConnections(0)
  const thief = await server.login(keyB, first.sessionUUID)
  t.not(thief.sessionUUID, first.sessionUUID)
  server.worker.unhold()
  thief.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  t.equal((await thief.next()).errors?.[0]?.['code'], 'taskNotFound')
  t.same(await thief.settle(), [])
  const owner = await server.login(keyA, first.sessionUUID)
  t.equal(owner.sessionUUID, first.sessionUUID)
  t.equal((await owner.results(task.taskUUID, 1)).length, 1)
  await Promise.all([thief.close(), owner.close()])
})

t.test('C19 keys that the server makes are at least 30 characters long', async t => {
  t.ok(createApiKey().length >= 30)
})

t.test('C20 RFC 6455 pings are answered while a task runs', async t => {
  const client = await server.login()
  server.worker.hold()
  client.send(inference())
  await client.settle()
  const pong = new Promise<string>(resolve => client.socket.once('pong', data => resolve(data.toString())))
  client.socket.ping('are you there')
  t.equal(await pong, 'are you there')
  server.worker.unhold()
  await client.close()
})

t.test('a close code that a peer makes up is no metric of its own', async t => {
  const own = await startTestGateway()
  t.teardown(() => own.stop())
  for (const code of [1000, 3000, 3001, 4999]) {
    const client = await own.login()
    client.socket.close(code)
    await own.whenConnections(0)
  }
  const text = await (await fetch(`${own.httpUrl}/metrics`)).text()
  const closes = text.split('\n').filter(line => line.startsWith('latentd_gateway_closes_total{'))
  t.strictSame(closes.sort(), ['latentd_gateway_closes_total{code="1000"} 1', 'latentd_gateway_closes_total{code="other"} 3'])
})
