import { connect } from 'node:net'
import type { Socket } from 'node:net'
import t from 'tap'
import { inference, keyA, startTestGateway } from '../helpers/started-gateway.ts'

const bytes = new Uint8Array(24 * 2 ** 20)

t.test('a client that does not take what it asked for is cut off, pictures and answers alike', async t => {
  const server = await startTestGateway({ bytes, limits: { stallMs: 200 } })
  t.teardown(() => server.stop())
  const client = await server.login()
  const task = inference({ outputType: ['URL', 'base64Data'] })
  client.send(task)
  const { data = [] } = await client.next()
  const { pathname } = new URL(String(data[0]?.['imageURL']))
  const poll = JSON.stringify([{ taskType: 'getResponse', taskUUID: task.taskUUID }])
  const requests = {
    images: `GET ${pathname} HTTP/1.1\r\nHost: here\r\n\r\n`,
    tasks: `POST / HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer ${keyA}\r\nContent-Length: ${poll.length}\r\n\r\n${poll}`,
  }
  const sockets: Socket[] = []
  t.teardown(() => sockets.forEach(socket => socket.destroy()))
  for (const request of Object.values(requests)) {
    const socket = connect(server.gateway.address.port, '127.0.0.1').pause()
    socket.on('error', () => undefined)
    socket.write(request)
    sockets.push(socket)
  }
  // A request is counted when its response is over, whole or not.
  const counted = async () => {
    const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text()
    return Object.keys(requests).every(route => metrics.includes(`{route="${route}",status="200"} 1`))
  }
  while (!await counted()) await new Promise(resolve => setTimeout(resolve, 20))
  t.pass('both are over')
})

t.test('the time is for what is taken, not for the whole, nor for a task that takes longer', async t => {
  const server = await startTestGateway({ limits: { stallMs: 200 } })
  t.teardown(() => server.stop())
  server.worker.hold()
  const answer = fetch(server.httpUrl, { method: 'POST', headers: { Authorization: `Bearer ${keyA}` }, body: JSON.stringify([inference()]) })
  await server.worker.whenClaimed(1)
  await new Promise(resolve => setTimeout(resolve, 500))
  server.worker.unhold()
  t.equal((await answer).status, 200)
})
