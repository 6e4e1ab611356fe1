import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import { encodeServerFrames } from './server-frames.ts'
import type { ServerFrame } from './server-frames.ts'

/** What a writer is made of. */
export interface SocketWriterOptions {
  readonly socket: WebSocket
  /** What the socket writes to. */
  readonly stream: Pick<Duplex, 'write'>
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
  /** What was written in this turn, and the length of its texts. */
  #gathered: ServerFrame[] = []
  #gatheredLength = 0

  constructor(options: SocketWriterOptions) {
    this.#options = options
  }

  /** Since when the peer has taken nothing although the buffer is full; undefined while it has room. */
  get fullSince(): number | undefined {
    this.#look()
    return this.#fullSince
  }

  /** False while the peer has too much to read. */
  get hasRoom(): boolean {
    this.#look()
    return this.#isClosed || this.#fullSince === undefined
  }

  /** Writes a text frame. */
  write(text: string): void {
    this.#gather({ type: 'text', payload: text })
    if (this.#gatheredLength > maxGatheredLength) this.flush()
    this.#look()
  }

  ping(payload: string): void {
    this.#gather({ type: 'ping', payload })
  }

  /** Gives the system what was gathered, because something else goes out after it. */
  flush(): void {
    const { socket, stream } = this.#options
    const frames = this.#gathered
    if (frames.length === 0) return
    this.#gathered = []
    this.#gatheredLength = 0
    // A socket that has begun to close, of itself too, must not be given anything after its close frame.
    if (!this.#isClosed && socket.readyState === socket.OPEN) stream.write(encodeServerFrames(frames), () => this.#look())
  }

  /** Looks at the buffer after something that the socket answers by itself. */
  check(): void {
    this.#look()
  }

  /** Resolves when there is room, or when the socket is gone. */
  writable(): Promise<void> {
    if (this.hasRoom) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Lets everyone go who waits for room. */
  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  /** Holds back what is written until this turn's other work is done, promises included. */
  #gather(frame: ServerFrame): void {
    if (this.#isClosed) return
    if (this.#gathered.length === 0) process.nextTick(() => this.flush())
    this.#gathered.push(frame)
    this.#gatheredLength += frame.payload.length
  }

  #look(): void {
    const { socket, clock, maxBufferedBytes } = this.#options
    if (this.#isClosed) return
    const bufferedAmount = socket.bufferedAmount + this.#gatheredLength
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
