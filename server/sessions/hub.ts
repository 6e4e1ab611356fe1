import type { Clock } from '../clock.ts'
import type { TaskRecord } from '../queue/task-record.ts'
import { AccountQuota } from './account-quota.ts'
import type { EncodeFrame } from './attachment.ts'
import { Session } from './session.ts'
import type { SessionLimits } from './session.ts'
import type { SessionSocket } from './session-socket.ts'
import { WaitingSessions } from './waiting-sessions.ts'

/** Caps and times of all sessions. */
export interface HubLimits extends SessionLimits {
  /** How long a session waits for its client to come back. */
  readonly resumeMs: number
  readonly maxItemsPerAccount: number
  /** Sessions of one account without a socket; beyond it the oldest one goes, an empty one first. */
  readonly maxDetachedPerAccount: number
}

/** What a hub is made of. */
export interface HubOptions {
  readonly limits: HubLimits
  readonly clock: Clock
  /** Makes the UUID of a session: a capability, so it has to be unguessable. */
  readonly makeUuid: () => string
  readonly encode: EncodeFrame
  /** Called with the tasks that an expired session was still following. */
  readonly onExpired: (tasks: readonly TaskRecord[]) => void
}

/** The registry of live sessions. It starts no timer: its owner calls `sweep`. */
export class Hub {
  readonly #options: HubOptions
  readonly #sessions = new Map<string, Session>()
  readonly #waiting = new WaitingSessions<Session>()
  readonly #quota: AccountQuota

  constructor(options: HubOptions) {
    this.#options = options
    this.#quota = new AccountQuota(options.limits.maxItemsPerAccount)
  }

  /** Live sessions, attached or not. */
  get size(): number {
    return this.#sessions.size
  }

  /** Sessions that wait for their client to come back. */
  get detached(): number {
    return this.#waiting.size
  }

  /** Items owed and reserved, of all sessions. */
  get items(): number {
    return this.#quota.size
  }

  /**
   * The account's session of that UUID, or a fresh one. Unknown, expired and foreign UUIDs get the same answer,
   * so that nobody learns whose a UUID is.
   */
  open(account: string, uuid: unknown): Session {
    const known = typeof uuid === 'string' ? this.find(uuid) : undefined
    if (known?.account === account && !this.#isExpired(known)) return known
    const { limits, clock, encode, makeUuid } = this.#options
    const session = new Session({ uuid: makeUuid(), account, limits, quota: this.#quota, clock, encode })
    this.#sessions.set(session.uuid, session)
    this.#waiting.add(session)
    return session
  }

  /** Gives a session to a socket. */
  attach(session: Session, socket: SessionSocket): void {
    this.#waiting.delete(session)
    session.attach(socket)
  }

  /** Takes a socket that is gone from its session, which waits from now on, and keeps the account's waiting sessions within their cap. */
  detach(session: Session, socket: SessionSocket, options?: { readonly refusedSize: boolean }): void {
    if (!session.detach(socket, options) || session.hasExpired) return
    this.#waiting.add(session)
    const surplus = this.#waiting.surplus(session.account, this.#options.limits.maxDetachedPerAccount)
    if (surplus) this.#expire(surplus)
  }

  find(uuid: string): Session | undefined {
    return this.#sessions.get(uuid) ?? this.#sessions.get(uuid.toLowerCase())
  }

  /** Expires what nobody came back for and ends sockets that do not confirm. */
  sweep(): void {
    for (const session of this.#waiting) {
      // Those behind it left later.
      if (!this.#isExpired(session)) break
      this.#expire(session)
    }
    for (const session of this.#sessions.values()) session.checkProgress()
  }

  /** Lets go of all sessions; their tasks go on. */
  clear(): void {
    for (const session of this.#sessions.values()) session.expire()
    this.#sessions.clear()
    this.#waiting.clear()
  }

  #isExpired(session: Session): boolean {
    const { detachedAt } = session
    return detachedAt !== undefined && this.#options.clock.now() - detachedAt >= this.#options.limits.resumeMs
  }

  #expire(session: Session): void {
    this.#sessions.delete(session.uuid)
    this.#waiting.delete(session)
    const tasks = session.expire()
    if (tasks.length > 0) this.#options.onExpired(tasks)
  }
}
