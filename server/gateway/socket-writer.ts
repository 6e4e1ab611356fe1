import type { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'

/** What a writer is made of. */
export interface SocketWriterOptions {
  readonly socket: WebSocket
  readonly clock: Clock
  /** Bytes that may wait in the socket before nothing more is given to it, and nothing more is read from it. */
  readonly maxBufferedBytes: number
}

/**
 * Writes to one socket with backpressure by name: *pause*. A peer that does not read is not read from either,
 * so that neither its tasks nor its pings can fill our memory; `isStalled` tells when to give it up.
 */
export class SocketWriter {
  readonly #options: SocketWriterOptions
  #waiting: (() => void)[] = []
  #fullSince: number | undefined
  #lowestWhileFull = 0
  #isClosed = false

  constructor(options: SocketWriterOptions) {
    this.#options = options
  }

  /** Since when the peer has taken nothing although the buffer is full; undefined while it has room. */
  get fullSince(): number | undefined {
    this.#look()
    return this.#fullSince
  }

  /** Writes a text frame. */
  write(text: string): void {
    if (this.#isClosed) return
    this.#options.socket.send(text, () => this.#look())
    this.#look()
  }

  ping(payload: string): void {
    if (!this.#isClosed) this.#options.socket.ping(payload)
  }

  /** Looks at the buffer after something that the socket answers by itself. */
  check(): void {
    this.#look()
  }

  /** Resolves when there is room, or when the socket is gone. */
  writable(): Promise<void> {
    this.#look()
    if (this.#isClosed || this.#fullSince === undefined) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Lets everyone go who waits for room. */
  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  #look(): void {
    const { socket, clock, maxBufferedBytes } = this.#options
    if (this.#isClosed) return
    const { bufferedAmount } = socket
    if (bufferedAmount < maxBufferedBytes) {
      if (this.#fullSince === undefined) return
      this.#fullSince = undefined
      socket.resume()
      this.#wake()
    } else if (this.#fullSince === undefined) {
      this.#fullSince = clock.now()
      this.#lowestWhileFull = bufferedAmount
      socket.pause()
    } else if (bufferedAmount < this.#lowestWhileFull) {
      this.#fullSince = clock.now()
      this.#lowestWhileFull = bufferedAmount
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
