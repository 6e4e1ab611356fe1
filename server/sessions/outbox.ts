import type { OutboxEntry, OutboxFrame, OutboxItem } from './outbox-item.ts'
import { planReplay } from './replay-plan.ts'

/**
 * What a session owes its client, in order: first what was written and not yet confirmed, then what was not written.
 *
 *     add → unwritten → (written) → unconfirmed → (confirm) → forgotten
 *                ↑                       │
 *                └──────── rewind ───────┘
 */
export class Outbox {
  #unwritten: OutboxFrame[] = []
  #unconfirmed: OutboxFrame[] = []
  #lastSeq = 0
  #lastWritten = 0
  /** Kept beside the frames: it is asked for with every item that is added, and there may be a thousand. */
  #size = 0

  /** Items that are not confirmed. */
  get size(): number {
    return this.#size
  }

  /** True while something written waits for its confirmation. */
  get hasUnconfirmed(): boolean {
    return this.#unconfirmed.length > 0
  }

  /** Frames that wait for their confirmation. */
  get unconfirmedFrames(): number {
    return this.#unconfirmed.length
  }

  /** Position of the newest written frame, 0 before the first. */
  get lastWritten(): number {
    return this.#lastWritten
  }

  /** Items that may have been seen and would be sent again. */
  get possiblySeen(): readonly OutboxItem[] {
    return [...this.#unconfirmed, ...this.#unwritten].flatMap(({ entries }) => entries).filter(({ wasWritten }) => wasWritten).map(({ item }) => item)
  }

  add(item: OutboxItem): void {
    this.#size++
    this.#push([{ item, wasWritten: false, byUrl: false }])
  }

  /** The frame to write next. */
  peek(): OutboxFrame | undefined {
    return this.#unwritten[0]
  }

  /** Says that the frame `peek` gave went to a socket. */
  written(): void {
    const frame = this.#unwritten.shift()
    if (!frame) throw new Error('Nothing was there to be written')
    this.#unconfirmed.push({ ...frame, entries: frame.entries.map(entry => ({ ...entry, wasWritten: true })) })
    this.#lastWritten = frame.seq
  }

  /** Forgets what was written up to `seq`; returns how many items. A position never written confirms nothing. */
  confirm(seq: number): number {
    if (!Number.isSafeInteger(seq) || seq > this.#lastWritten) return 0
    const confirmed = countEntries(this.#unconfirmed.filter(frame => frame.seq <= seq))
    this.#unconfirmed = this.#unconfirmed.filter(frame => frame.seq > seq)
    this.#size -= confirmed
    return confirmed
  }

  /** Makes everything unwritten again, in replay order and with new positions, for another socket. */
  rewind(): void {
    const entries = [...this.#unconfirmed, ...this.#unwritten].flatMap(frame => frame.entries)
    this.#unconfirmed = []
    this.#unwritten = []
    for (const frame of planReplay(entries)) this.#push(frame)
  }

  /** Inline pictures that were written go out as URLs from now on, because the client cannot take frames of that size. */
  preferUrls(): void {
    this.#unconfirmed = this.#unconfirmed.map(frame => ({ ...frame, entries: frame.entries.map(entry => ({ ...entry, byUrl: true })) }))
  }

  /** Forgets everything; returns how many items. */
  clear(): number {
    const { size } = this
    this.#unwritten = []
    this.#unconfirmed = []
    this.#size = 0
    return size
  }

  #push(entries: readonly OutboxEntry[]): void {
    this.#unwritten.push({ seq: ++this.#lastSeq, entries })
  }
}

function countEntries(frames: readonly OutboxFrame[]): number {
  return frames.reduce((sum, { entries }) => sum + entries.length, 0)
}
