import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import t from 'tap'
import { startTestGateway } from '../helpers/started-gateway.ts'

/** Opens sockets that say nothing; gives those that were not refused, and how many were. */
async function openSockets(port: number, count: number): Promise<{ readonly open: readonly Socket[]; readonly refused: number }> {
  const open: Socket[] = []
  let refused = 0
  for (let each = 0; each < count; each++) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    // A refusal comes at once; whoever is let in is answered.
    socket.write('GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n')
    const [answer] = await once(socket, 'data') as [Buffer]
    if (answer.toString().startsWith('HTTP/1.1 200')) open.push(socket)
    else if (answer.toString().startsWith('HTTP/1.1 503')) refused++
  }
  return { open, refused }
}

t.test('one address has so many sockets that speak HTTP and no more; those that are closed or become WebSockets are not counted', async t => {
  const server = await startTestGateway({ limits: { maxHttpSocketsPerAddress: 3 } })
  t.teardown(() => server.stop())
  const webSockets = [await server.login(), await server.login(), await server.login(), await server.login()]
  t.equal(webSockets.length, 4)
  const { open, refused } = await openSockets(server.gateway.address.port, 5)
  t.equal(open.length, 3)
  t.equal(refused, 2)
  await t.rejects(server.connect(), 'nor may it begin a WebSocket')
  await webSockets[0]?.settle()
  open[0]?.destroy()
  let again = await openSockets(server.gateway.address.port, 1)
  while (again.refused > 0) again = await openSockets(server.gateway.address.port, 1)
  t.equal(again.open.length, 1, 'once the server has noticed')
  for (const socket of [...open, ...again.open]) socket.destroy()
})

t.test('all together are bounded, too', async t => {
  const server = await startTestGateway({ limits: { maxHttpSockets: 2 } })
  t.teardown(() => server.stop())
  const { open, refused } = await openSockets(server.gateway.address.port, 3)
  t.equal(open.length, 2)
  t.equal(refused, 1)
  for (const socket of open) socket.destroy()
})
