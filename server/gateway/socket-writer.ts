import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'

/** What a writer is made of. */
export interface SocketWriterOptions {
  readonly socket: WebSocket
  /** What the socket writes to. */
  readonly stream: Pick<Duplex, 'cork' | 'uncork'>
  readonly clock: Clock
  /** Bytes that may wait in the socket before nothing more is given to it, and nothing more is read from it. */
  readonly maxBufferedBytes: number
}

/** A longer text goes out at once, with what was gathered before it: a call saved is nothing beside so many bytes. */
const maxGatheredLength = 65_536

/**
 * Writes to one socket with backpressure by name: *pause*. A peer that does not read is not read from either,
 * so that neither its tasks nor its pings can fill our memory; `isStalled` tells when to give it up.
 *
 * What is written in one turn of the event loop goes to the system in one call: for small frames that call costs more
 * than everything else that is done for them.
 */
export class SocketWriter {
  readonly #options: SocketWriterOptions
  #waiting: (() => void)[] = []
  #fullSince: number | undefined
  #lowestWhileFull = 0
  #isClosed = false
  #isGathering = false

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
    this.#gather()
    this.#options.socket.send(text, () => this.#look())
    if (text.length > maxGatheredLength) this.#flush()
    this.#look()
  }

  ping(payload: string): void {
    if (this.#isClosed) return
    this.#gather()
    this.#options.socket.ping(payload)
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

  /** Holds back what is written until this turn's other work is done, promises included. */
  #gather(): void {
    if (this.#isGathering) return
    this.#isGathering = true
    this.#options.stream.cork()
    process.nextTick(() => this.#flush())
  }

  #flush(): void {
    if (!this.#isGathering) return
    this.#isGathering = false
    this.#options.stream.uncork()
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
