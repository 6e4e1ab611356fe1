import type { ConnectionLimits } from './gateway-options.ts'

/** Which of a connection's times its liveness looks at. */
export type LivenessLimits = Pick<ConnectionLimits, 'authenticationMs' | 'idleMs' | 'pingIntervalMs' | 'stallMs'>

/** When a connection last heard, said and asked something, and what follows from that by now. */
export class Liveness {
  readonly #limits: LivenessLimits
  readonly #now: () => number
  readonly #openedAt: number
  #messageAt: number
  #pingAt: number
  #heardAt: number

  /** @param now monotonic clock, ms */
  constructor(limits: LivenessLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
    this.#openedAt = this.#messageAt = this.#pingAt = this.#heardAt = now()
  }

  /** A message went either way; one of the peer's is a sign of life too. */
  message({ isPeers }: { readonly isPeers: boolean }): void {
    this.#messageAt = this.#now()
    if (isPeers) this.#heardAt = this.#messageAt
  }

  /** A pong of the peer came. */
  pong(): void {
    this.#heardAt = this.#now()
  }

  /** A ping went to the peer. */
  ping(): void {
    this.#pingAt = this.#now()
  }

  /** True when the time to authenticate is over. */
  get isLate(): boolean {
    return this.#now() - this.#openedAt >= this.#limits.authenticationMs
  }

  /** True when there was no message for the idle time. */
  get isIdle(): boolean {
    return this.#now() - this.#messageAt >= this.#limits.idleMs
  }

  /** True when the peer has left a ping unanswered for too long. */
  get isSilent(): boolean {
    return !this.#isAnswered && this.#now() - this.#pingAt >= this.#limits.stallMs
  }

  /** True when it is time to ask whether the peer is still there. */
  get isPingDue(): boolean {
    return this.#isAnswered && this.#now() - this.#pingAt >= this.#limits.pingIntervalMs
  }

  get #isAnswered(): boolean {
    return this.#heardAt >= this.#pingAt
  }
}
