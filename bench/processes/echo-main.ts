// The least that a WebSocket server of JSON messages can do: parse each and send it back.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { beControlled } from './controlled-end.ts'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', socket => socket.on('message', data => {
  const text = String(data)
  JSON.parse(text)
  socket.send(text)
}))
await once(server, 'listening')
beControlled((server.address() as AddressInfo).port)
