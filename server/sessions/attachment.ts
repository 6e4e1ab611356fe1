import type { Clock } from '../clock.ts'
import type { OutboxFrame } from './outbox-item.ts'
import type { Outbox } from './outbox.ts'
import type { SessionSocket } from './session-socket.ts'

/** What an attachment is made of. */
export interface AttachmentOptions {
  readonly socket: SessionSocket
  /** Fencing number: rises with every attachment of a session. */
  readonly generation: number
  readonly outbox: Outbox
  readonly clock: Clock
  readonly stallMs: number
  /** Frames that may be written before one of them has to be confirmed. */
  readonly maxUnconfirmedFrames: number
  readonly encode: (frame: OutboxFrame) => Promise<string>
}

/**
 * One socket's turn with a session's outbox: writes frames while the socket takes them, and asks for confirmations.
 *
 * A confirmation is a WebSocket ping `generation:seq`, whose pong proves that everything written before it has arrived.
 * One is under way at a time, so their rate follows the round trip and not the frames.
 */
export class Attachment {
  readonly socket: SessionSocket
  readonly #options: AttachmentOptions
  #hasEnded = false
  #isWriting = false
  #isPingUnderWay = false
  /** When the client last confirmed something, or when there was last nothing to confirm. */
  #progressAt: number
  #cancelHold: (() => void) | undefined

  constructor(options: AttachmentOptions) {
    this.#options = options
    this.socket = options.socket
    this.#progressAt = options.clock.now()
  }

  /** True when frames were written and no pong has confirmed any for too long. */
  get isStalled(): boolean {
    const { outbox, clock, stallMs } = this.#options
    const isWaiting = outbox.hasUnconfirmed || this.#isWriting
    return !this.#hasEnded && isWaiting && clock.now() - this.#progressAt >= stallMs
  }

  /** Writes nothing for a while; `releaseHold` ends it early. */
  hold(ms: number): void {
    this.#cancelHold = this.#options.clock.after(ms, () => this.releaseHold())
  }

  releaseHold(): void {
    if (!this.#cancelHold) return
    this.#cancelHold()
    this.#cancelHold = undefined
    this.#options.outbox.rewind()
    this.advance()
  }

  /** Writes what there is to write. */
  advance(): void {
    if (this.#isWriting || this.#hasEnded || this.#cancelHold) return
    const { outbox, maxUnconfirmedFrames } = this.#options
    if (!outbox.peek() || outbox.unconfirmedFrames >= maxUnconfirmedFrames) return
    this.#isWriting = true
    if (!outbox.hasUnconfirmed) this.#progressAt = this.#options.clock.now()
    void this.#write().catch((error: unknown) => this.socket.failed(error))
  }

  /** Takes a pong's payload; returns how many items it confirmed. */
  confirm(payload: string): number {
    const { outbox, generation, clock } = this.#options
    const match = /^(\d{1,15}):(\d{1,15})$/.exec(payload)
    if (!match || Number(match[1]) !== generation) return 0
    const confirmed = outbox.confirm(Number(match[2]))
    if (confirmed > 0) this.#progressAt = clock.now()
    if (this.#isPingUnderWay && Number(match[2]) <= outbox.lastWritten) {
      this.#isPingUnderWay = false
      if (outbox.hasUnconfirmed) this.#ping()
    }
    this.advance()
    return confirmed
  }

  end(): void {
    this.#hasEnded = true
    this.#cancelHold?.()
    this.#cancelHold = undefined
  }

  async #write(): Promise<void> {
    const { outbox, encode, maxUnconfirmedFrames } = this.#options
    for (let frame = outbox.peek(); frame && !this.#hasEnded; frame = outbox.peek()) {
      if (outbox.unconfirmedFrames >= maxUnconfirmedFrames) break
      await this.socket.writable()
      const text = await encode(frame)
      // The socket may have gone, or another taken over, while the pictures were read.
      if (this.#hasEnded) return
      if (outbox.peek() !== frame) continue
      this.socket.write(text)
      outbox.written()
      if (outbox.unconfirmedFrames * 2 >= maxUnconfirmedFrames) this.#ping()
    }
    this.#isWriting = false
    if (!this.#hasEnded && outbox.hasUnconfirmed) this.#ping()
  }

  #ping(): void {
    if (this.#isPingUnderWay) return
    const { generation, outbox } = this.#options
    this.#isPingUnderWay = true
    this.socket.ping(`${generation}:${outbox.lastWritten}`)
  }
}
