/** Dropped places are given back when there are this many and they are the larger part. */
const minDropped = 1024

/** Those who wait in the order in which they came; both ends cost the same however many they are. */
export class Line<T> {
  #items: (T | undefined)[] = []
  #dropped = 0

  get size(): number {
    return this.#items.length - this.#dropped
  }

  get first(): T | undefined {
    return this.#items[this.#dropped]
  }

  add(item: T): void {
    this.#items.push(item)
  }

  dropFirst(): void {
    if (this.size === 0) return
    this.#items[this.#dropped++] = undefined
    if (this.#dropped < minDropped || this.#dropped * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#dropped)
    this.#dropped = 0
  }
}
