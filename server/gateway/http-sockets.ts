import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Metrics } from '../metrics.ts'
import { AddressCounts } from './address-counts.ts'
import { clientAddressOf } from './client-address.ts'

/** What bounds a server's sockets. */
export interface HttpSocketsOptions {
  readonly maxSockets: number
  readonly maxSocketsPerAddress: number
  readonly metrics: Pick<Metrics, 'socketsRefused'>
}

/**
 * The sockets of an HTTP server that speak HTTP: those that wait for a request, read one or answer one. What comes beyond the
 * caps is refused before anything is read of it. A socket that becomes a WebSocket is counted elsewhere from then on.
 */
export class HttpSockets {
  readonly #counts = new AddressCounts()
  readonly #leave = new WeakMap<Duplex, () => void>()

  constructor(server: Server, { maxSockets, maxSocketsPerAddress, metrics }: HttpSocketsOptions) {
    // Before Node's own listener, which makes a parser for the socket.
    server.prependListener('connection', (socket: Socket) => {
      const address = clientAddressOf(socket)
      if (this.#counts.total >= maxSockets || this.#counts.of(address) >= maxSocketsPerAddress) {
        metrics.socketsRefused.inc()
        refuse(socket)
        return
      }
      const leave = this.#counts.add(address)
      this.#leave.set(socket, leave)
      socket.once('close', leave)
    })
  }

  get size(): number {
    return this.#counts.total
  }

  /** A socket has left HTTP. */
  upgraded(socket: Duplex): void {
    this.#leave.get(socket)?.()
  }
}

function refuse(socket: Socket): void {
  socket.on('error', () => undefined) // the peer may be gone already
  socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n', () => socket.destroy())
}
