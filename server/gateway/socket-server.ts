import { STATUS_CODES } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { CloseCode } from '../../protocol/index.ts'
import type { ParseFrameOptions } from '../../protocol/index.ts'
import { AddressCounts } from './address-counts.ts'
import { baseUrlOf } from './base-url.ts'
import { clientAddressOf } from './client-address.ts'
import { Connection } from './connection.ts'
import type { ConnectionOptions } from './connection-options.ts'
import type { FailureLimiter } from './failure-limiter.ts'
import type { GatewayLimits } from './gateway-options.ts'

/** What accepting sockets needs. */
export interface SocketServerOptions extends Omit<ConnectionOptions, 'socket' | 'stream' | 'baseUrl' | 'limits' | 'parsing' | 'onWrongKey' | 'onReady' | 'onClosed'> {
  readonly limits: GatewayLimits
  readonly strictParameters: boolean
  readonly wrongKeys: FailureLimiter
  readonly corsOrigins: readonly string[]
  readonly publicUrl?: string
}

/** Parts of one message and chunks of one frame that may be buffered; far above what any client sends. */
const maxFragments = 4096
const maxBufferedChunks = 65_536

/**
 * Accepts WebSocket upgrades on any path, without subprotocol and without compression, and keeps the open connections.
 *
 * What has not authenticated is bounded before anything of it is kept: how many sockets, from one address, and how many bytes.
 */
export class SocketServer {
  readonly #options: SocketServerOptions
  readonly #parsing: ParseFrameOptions
  readonly #server: WebSocketServer
  readonly #connections = new Set<Connection>()
  /** Sockets that have not authenticated, by address. */
  readonly #strangers = new AddressCounts()
  #isDraining = false

  constructor(options: SocketServerOptions) {
    this.#options = options
    this.#parsing = { maxTasksPerFrame: options.limits.maxTasksPerFrame, strictParameters: options.strictParameters }
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      handleProtocols: () => false,
      maxPayload: options.limits.maxFrameBytes,
      maxFragments,
      maxBufferedChunks,
    })
  }

  get size(): number {
    return this.#connections.size
  }

  get strangers(): number {
    return this.#strangers.total
  }

  /** Handles an HTTP server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = clientAddressOf(request.socket)
    const refusal = this.#refusalOf(address, request)
    if (refusal) {
      this.#options.metrics.upgradesRefused.inc({ status: String(refusal.status) })
      refuseUpgrade(socket, refusal)
      return
    }
    socket.on('error', ignore)
    this.#server.handleUpgrade(request, socket, head, webSocket => {
      socket.off('error', ignore)
      this.#open(webSocket, request, socket, address)
    })
  }

  /** Lets every connection look at the clock. */
  tick(): void {
    for (const connection of this.#connections) connection.tick()
  }

  /** Accepts nothing more; what is open goes on. */
  drain(): void {
    this.#isDraining = true
  }

  /** Closes every connection, evenly spread over `withinMs`, so that their clients do not all come back at once. */
  async close(withinMs: number): Promise<void> {
    this.drain()
    const connections = [...this.#connections]
    const pauseMs = connections.length > 0 ? withinMs / connections.length : 0
    for (const [index, connection] of connections.entries()) {
      connection.close(CloseCode.serviceRestart, 'service restart')
      if (pauseMs > 0 && index < connections.length - 1) await new Promise<void>(resolve => this.#options.clock.after(pauseMs, resolve))
    }
  }

  /** Cuts what has not answered its close. */
  terminate(): void {
    for (const connection of this.#connections) connection.terminate()
  }

  #refusalOf(address: string, request: IncomingMessage): Refusal | undefined {
    const { limits, wrongKeys, corsOrigins } = this.#options
    if (this.#isDraining) return { status: 503, retryAfter: 1 }
    const { origin } = request.headers
    if (origin !== undefined && !corsOrigins.includes('*') && !corsOrigins.includes(origin)) return { status: 403 }
    const retryAfter = wrongKeys.retryAfter(address)
    if (retryAfter > 0) return { status: 429, retryAfter }
    const isFull = this.#connections.size >= limits.maxConnections
      || this.#strangers.total >= limits.maxUnauthenticatedSockets
      || this.#strangers.of(address) >= limits.maxUnauthenticatedSocketsPerAddress
    return isFull ? { status: 503, retryAfter: 1 } : undefined
  }

  #open(webSocket: WebSocket, request: IncomingMessage, socket: Duplex, address: string): void {
    const forgetStranger = this.#strangers.add(address)
    const stopCounting = this.#limitBytes(webSocket, socket)
    const known = () => {
      forgetStranger()
      stopCounting()
    }
    const connection = new Connection({
      ...this.#options,
      socket: webSocket,
      stream: socket,
      parsing: this.#parsing,
      baseUrl: baseUrlOf(request, this.#options.publicUrl),
      onWrongKey: () => this.#options.wrongKeys.fail(address),
      onReady: known,
      onClosed: () => {
        known()
        this.#connections.delete(connection)
      },
    })
    this.#connections.add(connection)
  }

  /**
   * Ends a socket that sends more than an authentication needs. ws has one limit for a socket's whole life, so the bytes
   * are counted beside it; its own listener has handled a chunk before this one sees it.
   */
  #limitBytes(webSocket: WebSocket, socket: Duplex): () => void {
    let received = 0
    const count = (chunk: Buffer) => {
      received += chunk.length
      if (received <= this.#options.limits.maxUnauthenticatedBytes) return
      stop()
      webSocket.close(CloseCode.messageTooBig, 'authenticate first')
      // The rest of the message is not read; a moment for the close frame, then the socket is cut.
      socket.pause()
      this.#options.clock.after(closeMs, () => webSocket.terminate())
    }
    const stop = () => void socket.off('data', count)
    socket.on('data', count)
    return stop
  }
}

/** How long a close frame may take before the socket is cut. */
const closeMs = 1_000

interface Refusal {
  readonly status: 403 | 429 | 503
  readonly retryAfter?: number
}

function refuseUpgrade(socket: Duplex, { status, retryAfter }: Refusal): void {
  socket.on('error', ignore)
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', 'Content-Length: 0', ...(retryAfter ? [`Retry-After: ${retryAfter}`] : [])]
  socket.end(`${lines.join('\r\n')}\r\n\r\n`, () => socket.destroy())
}

/** The peer is gone before anything was set up for it; there is nothing to undo. */
function ignore(): void {}
