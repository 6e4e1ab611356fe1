import { airKey } from './air.ts'
import { ModelError } from './model-error.ts'
import type { ModelSpec } from './model-spec.ts'

const GIGABYTE = 1e9

/** A model of any type that is open: what it takes of the budget, and how it is let go. */
export interface OpenModel<T = unknown> {
  readonly spec: ModelSpec
  readonly byteLength: number
  readonly model: T
  release(): Promise<void>
}

/** The open models within a number of bytes, least recently used first, and who holds which. */
export class WeightsBudget {
  readonly #bytes: number
  readonly #onRelease: (key: string) => void
  /** In order of use: the first entry is the one that was not used for the longest time. */
  readonly #models = new Map<string, OpenModel>()
  readonly #holds = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  #closed: Error | undefined

  /** @param onRelease told the key of a model before its memory is released */
  constructor(bytes: number, onRelease: (key: string) => void) {
    this.#bytes = bytes
    this.#onRelease = onRelease
  }

  models(): readonly OpenModel[] {
    return [...this.#models.values()]
  }

  add(key: string, model: OpenModel): void {
    this.#models.set(key, model)
  }

  /** Notes that a model is used now. */
  touch(key: string): void {
    const model = this.#models.get(key)
    if (!model) return
    this.#models.delete(key)
    this.#models.set(key, model)
  }

  hold(key: string): () => void {
    this.#holds.set(key, (this.#holds.get(key) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = (this.#holds.get(key) ?? 1) - 1
      if (left > 0) this.#holds.set(key, left)
      else this.#holds.delete(key)
      this.#wake()
    }
  }

  /**
   * Releases models until `bytes` more fit; waits for holds to end where that is needed.
   * @param beside AIRs of what whoever waits holds itself: it cannot leave before, so all of it must fit together
   */
  async makeRoom(bytes: number, air: string, beside: readonly string[] = []): Promise<void> {
    const heldBytes = this.#bytesOf(beside)
    if (bytes + heldBytes > this.#bytes) {
      const others = heldBytes > 0 ? ` beside the ${gigabytes(heldBytes)} it is used with` : ''
      const limit = `the ${gigabytes(this.#bytes)} that may be open at once`
      throw new ModelError(`${air} takes ${gigabytes(bytes)} of weights${others}, more than ${limit}; raise the weights budget to use it`)
    }
    while (this.#openBytes() + bytes > this.#bytes) {
      if (this.#closed) throw this.#closed
      const free = [...this.#models.keys()].find(key => !this.#holds.has(key))
      if (free === undefined) await new Promise<void>(resolve => this.#waiting.add(resolve))
      else await this.#release(free)
    }
  }

  /** Ends all waiting for room with an error. */
  close(error: Error): void {
    this.#closed = error
    this.#wake()
  }

  async releaseAll(): Promise<void> {
    for (const key of [...this.#models.keys()]) await this.#release(key)
  }

  async #release(key: string): Promise<void> {
    const model = this.#models.get(key)
    // It leaves before its memory is released, so that nobody is given a model that is on its way out.
    this.#models.delete(key)
    this.#onRelease(key)
    await model?.release()
  }

  #bytesOf(airs: readonly string[]): number {
    const keys = new Set(airs.map(airKey))
    return this.models().reduce((sum, { spec, byteLength }) => sum + (keys.has(airKey(spec.air)) ? byteLength : 0), 0)
  }

  #openBytes(): number {
    return this.models().reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / GIGABYTE).toFixed(2)} GB`
}
