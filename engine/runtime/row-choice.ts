/** Weight of the newest measurement in a running mean. */
const NEWEST = 0.3
/** Shapes whose times are remembered. */
const MAX_SHAPES = 32

interface Held {
  readonly shape: string
  readonly rows: number
}

/**
 * Decides with how many rows a graph runs where a change of its shape is dear.
 *
 * On CUDA the runtime keeps each convolution's plan for the latest shape alone and searches anew when it changes, which takes
 * as long as many runs. So the rows of the latest run are kept, with rows added or in several runs, until what that has lost
 * in all would exceed the cost of a change, as one buys skis once their rent has cost as much (Karlin, Manasse, Rudolph and
 * Sleator, "Competitive snoopy caching", 1988). All times are measured; as long as they are unknown, rows change freely.
 */
export class RowChoice {
  readonly #buckets: readonly number[]
  /** Milliseconds of a run that changed nothing, by shape and rows; the latest shapes last. */
  readonly #times = new Map<string, Map<number, number>>()
  #held: Held | undefined
  /** What the run after a change took, as long as no second run tells how much of that was the change. */
  #first: number | undefined
  #changeMs: number | undefined
  #lostMs = 0

  /** @param buckets numbers of rows that runs may have, rising; more rows than the last run as they are */
  constructor(buckets: readonly number[]) {
    this.#buckets = buckets
  }

  /** Rows of each run that `rows` rows are to be computed in; `shape` names all other dimensions. */
  choose(shape: string, rows: number): number {
    const fit = this.#buckets.find(each => each >= rows) ?? rows
    if (this.#held?.shape !== shape) return this.#hold({ shape, rows: fit })
    const held = this.#held.rows
    if (held === fit) return fit
    const lost = this.#lostBy(shape, rows, held, fit)
    if (lost === undefined || this.#changeMs === undefined || this.#lostMs + lost > this.#changeMs) return this.#hold({ shape, rows: fit })
    this.#lostMs += lost
    return held
  }

  /** Tells what a run with the chosen rows took. */
  ran(milliseconds: number): void {
    if (this.#held === undefined) return
    const { shape, rows } = this.#held
    const known = this.#times.get(shape)?.get(rows)
    if (this.#first === undefined) {
      this.#first = milliseconds
      if (known !== undefined) this.#learnChange(milliseconds - known)
      return
    }
    if (known === undefined) this.#learnChange(this.#first - milliseconds)
    this.#remember(shape, rows, known === undefined ? milliseconds : mean(known, milliseconds))
  }

  /** Tells that a run failed, perhaps for want of memory: the next one takes no more rows than it needs. */
  failed(): void {
    this.#held = undefined
  }

  #hold(held: Held): number {
    this.#held = held
    this.#first = undefined
    this.#lostMs = 0
    return held.rows
  }

  /** Milliseconds more with the held rows than with those that fit, at most; undefined before anything is known. */
  #lostBy(shape: string, rows: number, held: number, fit: number): number | undefined {
    const times = this.#times.get(shape)
    const heldMs = times?.get(held)
    if (heldMs === undefined) return undefined
    // Unknown times are taken for the least they can be, so that a change that pays is not put off.
    const fitMs = times?.get(fit) ?? heldMs * Math.min(1, fit / held)
    return Math.max(0, Math.ceil(rows / held) * heldMs - fitMs)
  }

  #learnChange(milliseconds: number): void {
    const cost = Math.max(0, milliseconds)
    this.#changeMs = this.#changeMs === undefined ? cost : mean(this.#changeMs, cost)
  }

  #remember(shape: string, rows: number, milliseconds: number): void {
    const times = this.#times.get(shape) ?? new Map<number, number>()
    this.#times.delete(shape)
    this.#times.set(shape, times.set(rows, milliseconds))
    if (this.#times.size > MAX_SHAPES) this.#times.delete(this.#times.keys().next().value as string)
  }
}

function mean(known: number, newest: number): number {
  return known + NEWEST * (newest - known)
}
