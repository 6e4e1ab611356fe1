import type { Clock } from '../clock.ts'
import type { ErrorBody } from '../../protocol/error-body.ts'
import type { TaskEvent } from '../queue/contract.ts'
import type { TaskRecord } from '../queue/task-record.ts'
import type { AccountQuota } from './account-quota.ts'
import { Attachment } from './attachment.ts'
import type { EncodeFrame } from './attachment.ts'
import { isInline } from './outbox-item.ts'
import type { OutboxItem } from './outbox-item.ts'
import { Outbox } from './outbox.ts'
import type { SessionSocket } from './session-socket.ts'
import { TaskLedger } from './task-ledger.ts'

/** Caps and times of a session. */
export interface SessionLimits {
  /** Most tasks of a session that have not ended. */
  readonly maxTasks: number
  /** Most items a session owes, those of accepted tasks included. */
  readonly maxItems: number
  /** Written frames that wait this long for a pong end the socket. */
  readonly stallMs: number
  /** How long a replay waits for further results of a task that its client may have seen in part. */
  readonly replayHoldMs: number
  /** Frames that a socket may have been given before its peer has to confirm one. */
  readonly maxUnconfirmedFrames: number
}

/** What a session is made of. */
export interface SessionOptions {
  readonly uuid: string
  readonly account: string
  readonly limits: SessionLimits
  readonly quota: AccountQuota
  readonly clock: Clock
  readonly encode: EncodeFrame
}

/** Whether a task may be submitted. `known`: this session is following a task of that taskUUID already. */
export type Reservation = 'reserved' | 'known' | 'full'

/**
 * What survives a reconnect: whose it is, its tasks, and what it still owes its client.
 *
 * At most one socket is attached. An item is forgotten only when that socket's pong confirms a frame written after it.
 */
export class Session {
  readonly uuid: string
  readonly account: string
  readonly #options: SessionOptions
  readonly #outbox = new Outbox()
  readonly #tasks = new TaskLedger()
  #generation = 0
  #attachment: Attachment | undefined
  #detachedAt: number
  #hasExpired = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.uuid = options.uuid
    this.account = options.account
    this.#detachedAt = options.clock.now()
  }

  /** Since when no socket is attached; undefined while one is. */
  get detachedAt(): number | undefined {
    return this.#attachment ? undefined : this.#detachedAt
  }

  /** True when nothing is delivered any more: its client did not come back in time. */
  get hasExpired(): boolean {
    return this.#hasExpired
  }

  /** True while a task of this session has not ended. */
  get hasTasks(): boolean {
    return this.#tasks.size > 0
  }

  /** True when the client waits for something: an error without a taskUUID would fail it. */
  get isOwing(): boolean {
    return this.hasTasks || this.#outbox.size > 0
  }

  /** Items owed and reserved. */
  get size(): number {
    return this.#outbox.size + this.#tasks.reserved
  }

  /** Tasks that have not ended. */
  get tasks(): readonly TaskRecord[] {
    return this.#tasks.records
  }

  /** Gives the session to a socket, which has already answered the authentication; replays what is owed, then goes on live. */
  attach(socket: SessionSocket): void {
    const { clock, limits, encode } = this.#options
    const previous = this.#attachment
    this.#attachment?.end()
    this.#outbox.rewind()
    const attachment = new Attachment({ socket, generation: ++this.#generation, outbox: this.#outbox, clock, encode, ...limits })
    this.#attachment = attachment
    if (previous?.socket !== socket) previous?.socket.replaced()
    if (this.#tasks.includesAny(this.#outbox.possiblySeen)) attachment.hold(limits.replayHoldMs)
    attachment.advance()
  }

  /** Says that a socket is gone. One that was replaced before changes nothing, and then it is false. */
  detach(socket: SessionSocket, { refusedSize = false } = {}): boolean {
    if (this.#attachment?.socket !== socket) return false
    this.#attachment.end()
    this.#attachment = undefined
    this.#detachedAt = this.#options.clock.now()
    if (refusedSize) this.#outbox.preferUrls()
    return true
  }

  /** Takes a pong's payload; anything but our own newest generation's is ignored. */
  pong(socket: SessionSocket, payload: string): void {
    if (this.#attachment?.socket !== socket) return
    this.#options.quota.give(this.account, this.#attachment.confirm(payload))
  }

  /** Ends a socket whose peer does not confirm what was written. */
  checkProgress(): void {
    if (this.#attachment?.isStalled) this.#attachment.socket.terminate()
  }

  /** Reserves room for everything a task can owe; before anything is awaited, and undone by `release`. */
  reserve(record: TaskRecord): Reservation {
    const { limits, quota } = this.#options
    if (this.#hasExpired) return 'full'
    if (this.#tasks.has(record.key.taskUUID)) return 'known'
    const items = itemsOf(record)
    if (this.#tasks.size >= limits.maxTasks || this.size + items > limits.maxItems) return 'full'
    if (!quota.take(this.account, items)) return 'full'
    this.#tasks.reserve(record, items)
    return 'reserved'
  }

  /** Undoes `reserve`: the task was not accepted. */
  release(record: TaskRecord): void {
    this.#options.quota.give(this.account, this.#tasks.end(record))
  }

  /** Says that the queue took a reserved task; its acknowledgement goes before anything else of it. */
  accept(record: TaskRecord): void {
    if (record.delivery === 'async') this.#owe({ type: 'acknowledgement', record }, record)
    for (const event of this.#tasks.accept(record)) this.#follow(event)
  }

  /** Acknowledges once more a task that was accepted before. */
  acknowledgeAgain(record: TaskRecord): void {
    this.#owe({ type: 'acknowledgement', record })
  }

  /** Owes the client an error of a task that was not accepted. False when there is no room for it. */
  reject(error: ErrorBody): boolean {
    return this.#owe({ type: 'error', error })
  }

  /** Takes what happened to one of its tasks. */
  taskEvent(event: TaskEvent): void {
    if (!this.#tasks.holdsBack(event)) this.#follow(event)
  }

  /** Lets go of everything; returns the tasks that have not ended. */
  expire(): readonly TaskRecord[] {
    const { records } = this.#tasks
    this.#hasExpired = true
    this.#attachment?.end()
    this.#attachment = undefined
    this.#options.quota.give(this.account, this.#outbox.clear() + this.#tasks.clear())
    return records
  }

  #follow(event: TaskEvent): void {
    const record = event.type === 'result' ? event.record : event.snapshot.record
    if (!this.#tasks.has(record.key.taskUUID)) return
    if (event.type === 'result') {
      if (record.delivery === 'sync') this.#owe({ type: 'results', record, results: [event.result] }, record)
      return
    }
    for (const item of itemsAtEnd(event.snapshot)) this.#owe(item, record)
    this.release(record)
    if (this.#tasks.size === 0) this.#attachment?.releaseHold()
  }

  /** Adds an item, paid for by its task's reservation where there is one. */
  #owe(item: OutboxItem, paidBy?: TaskRecord): boolean {
    if (this.#hasExpired) return false
    const isPaid = paidBy !== undefined && this.#tasks.spend(paidBy)
    if (!isPaid) {
      if (this.size >= this.#options.limits.maxItems || !this.#options.quota.take(this.account, 1)) return false
    }
    this.#outbox.add(item)
    this.#attachment?.advance()
    return true
  }
}

/** The most items a task can owe at once. A sync task that fails has fewer results than it was asked for, so its error fits. */
function itemsOf(record: TaskRecord): number {
  if (record.delivery === 'sync') return record.results.length
  return 1 + (isInline(record) ? record.results.length : 1)
}

/**
 * What the end of a task adds. A finished async task pushes its pictures, for clients whose polls do not see a task in work;
 * a failed one keeps its error for the poll, because an error that nobody asked for fails other calls of some clients.
 */
function itemsAtEnd(snapshot: Extract<TaskEvent, { type: 'ended' }>['snapshot']): readonly OutboxItem[] {
  const { record, status, results, error } = snapshot
  if (record.delivery === 'sync') return status === 'failed' && error ? [{ type: 'error', error }] : []
  if (status !== 'completed') return []
  if (!isInline(record)) return [{ type: 'results', record, results }]
  return results.map(result => ({ type: 'results', record, results: [result] }))
}
