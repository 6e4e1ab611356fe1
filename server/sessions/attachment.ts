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
  readonly encode: EncodeFrame
}

/** Turns a frame's items into text, reading inline pictures from the store; at once where there are none. Must not reject. */
export type EncodeFrame = (frame: OutboxFrame) => string | Promise<string>

/** The least time between two confirmations asked for, unless many frames wait for one: a ping and its pong cost as much as a result. */
const confirmEveryMs = 50

/**
 * One socket's turn with a session's outbox: writes frames while the socket takes them, and asks for confirmations.
 *
 * A confirmation is a WebSocket ping `generation:seq`, whose pong proves that everything written before it has arrived.
 * One is under way at a time and they keep a distance, so their rate follows neither the frames nor a fast round trip.
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
  /** When a confirmation was last asked for. */
  #pingedAt = -Infinity
  #cancelPing: (() => void) | undefined

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
    try {
      this.#writeNext()
    } catch (error) {
      this.socket.failed(error)
    }
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
      if (this.#areManyUnconfirmed) this.#ask()
      else if (outbox.hasUnconfirmed) this.#askSoon()
    }
    this.advance()
    return confirmed
  }

  end(): void {
    this.#hasEnded = true
    this.#cancelHold?.()
    this.#cancelHold = undefined
    this.#cancelPing?.()
    this.#cancelPing = undefined
  }

  /** Writes one frame after the other for as long as that takes no waiting. */
  #writeNext(): void {
    const { outbox, encode, maxUnconfirmedFrames } = this.#options
    for (let frame = outbox.peek(); frame && !this.#hasEnded; frame = outbox.peek()) {
      if (outbox.unconfirmedFrames >= maxUnconfirmedFrames) break
      const text = this.socket.hasRoom ? encode(frame) : this.#encodeLater(frame)
      if (typeof text !== 'string') return void this.#writeLater(frame, text).catch((error: unknown) => this.socket.failed(error))
      this.#write(text)
    }
    this.#isWriting = false
    if (!this.#hasEnded && outbox.hasUnconfirmed) this.#askSoon()
  }

  async #encodeLater(frame: OutboxFrame): Promise<string> {
    await this.socket.writable()
    return await this.#options.encode(frame)
  }

  async #writeLater(frame: OutboxFrame, text: Promise<string>): Promise<void> {
    const written = await text
    // The socket may have gone, or another taken over, while the pictures were read.
    if (this.#hasEnded) return
    if (this.#options.outbox.peek() === frame) this.#write(written)
    this.#writeNext()
  }

  #write(text: string): void {
    this.socket.write(text)
    this.#options.outbox.written()
    if (this.#areManyUnconfirmed) this.#ask()
  }

  /** So many that writing would soon have to stop. */
  get #areManyUnconfirmed(): boolean {
    const { outbox, maxUnconfirmedFrames } = this.#options
    return outbox.unconfirmedFrames * 2 >= maxUnconfirmedFrames
  }

  /** Asks for a confirmation now, or once the last one is long enough ago. */
  #askSoon(): void {
    if (this.#isPingUnderWay || this.#cancelPing) return
    const { clock } = this.#options
    const waitMs = this.#pingedAt + confirmEveryMs - clock.now()
    if (waitMs <= 0) return this.#ask()
    this.#cancelPing = clock.after(waitMs, () => {
      this.#cancelPing = undefined
      if (this.#options.outbox.hasUnconfirmed) this.#ask()
    })
  }

  #ask(): void {
    if (this.#isPingUnderWay) return
    this.#cancelPing?.()
    this.#cancelPing = undefined
    const { generation, outbox, clock } = this.#options
    this.#isPingUnderWay = true
    this.#pingedAt = clock.now()
    this.socket.ping(`${generation}:${outbox.lastWritten}`)
  }
}
