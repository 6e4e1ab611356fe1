import type { OutboxEntry, OutboxFrame, OutboxItem } from './outbox-item.ts'
import { planReplay } from './replay-plan.ts'

/** Entries and frames as the outbox alone may change them. */
type OwnEntry = { -readonly [Field in keyof OutboxEntry]: OutboxEntry[Field] }
interface OwnFrame extends OutboxFrame {
  readonly entries: readonly OwnEntry[]
}

/**
 * What a session owes its client, in order: first what was written and not yet confirmed, then what was not written.
 *
 *     add → unwritten → (written) → unconfirmed → (confirm) → forgotten
 *                ↑                       │
 *                └──────── rewind ───────┘
 */
export class Outbox {
  #unwritten: OwnFrame[] = []
  #unconfirmed: OwnFrame[] = []
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
    for (const entry of frame.entries) entry.wasWritten = true
    this.#unconfirmed.push(frame)
    this.#lastWritten = frame.seq
  }

  /** Forgets what was written up to `seq`; returns how many items. A position never written confirms nothing. */
  confirm(seq: number): number {
    if (!Number.isSafeInteger(seq) || seq > this.#lastWritten) return 0
    const firstKept = this.#unconfirmed.findIndex(frame => frame.seq > seq)
    const confirmed = countEntries(this.#unconfirmed.splice(0, firstKept < 0 ? this.#unconfirmed.length : firstKept))
    this.#size -= confirmed
    return confirmed
  }

  /** Makes everything unwritten again, in replay order and with new positions, for another socket. */
  rewind(): void {
    const entries = [...this.#unconfirmed, ...this.#unwritten].flatMap(frame => frame.entries)
    this.#unconfirmed = []
    this.#unwritten = []
    this.#size = 0
    for (const frame of planReplay(entries)) this.#push(frame.map(entry => ({ ...entry })))
  }

  /** Inline pictures that were written go out as URLs from now on, because the client cannot take frames of that size. */
  preferUrls(): void {
    for (const { entries } of this.#unconfirmed) for (const entry of entries) entry.byUrl = true
  }

  /** Forgets everything; returns how many items. */
  clear(): number {
    const { size } = this
    this.#unwritten = []
    this.#unconfirmed = []
    this.#size = 0
    return size
  }

  #push(entries: readonly OwnEntry[]): void {
    this.#size += entries.length
    this.#unwritten.push({ seq: ++this.#lastSeq, entries })
  }
}

function countEntries(frames: readonly OutboxFrame[]): number {
  return frames.reduce((sum, { entries }) => sum + entries.length, 0)
}
