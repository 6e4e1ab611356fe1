import { Slots } from '../slots.ts'

/** Room for a number of results, in a worker and in its engine. A task may have more than that; then its results take turns. */
export class Room {
  readonly #capacity: number
  readonly #slots: Slots
  #underWay = 0
  #onRoom: (() => void) | undefined

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#slots = new Slots(capacity)
  }

  /** Results that there is room for. */
  get left(): number {
    return this.#capacity - this.#underWay
  }

  take(results: number): void {
    this.#underWay += results
  }

  free(results: number): void {
    this.#underWay -= results
    if (this.left > 0) this.wake()
  }

  /** Resolves when there is room, or at `wake`. One waits at a time. */
  async wait(): Promise<void> {
    if (this.left <= 0) await new Promise<void>(resolve => { this.#onRoom = resolve })
  }

  wake(): void {
    this.#onRoom?.()
    this.#onRoom = undefined
  }

  /** Computes one result, once there is a place in the engine for it. */
  compute<T>(job: () => Promise<T>): Promise<T> {
    return this.#slots.use(job)
  }
}
