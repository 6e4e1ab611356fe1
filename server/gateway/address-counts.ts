/** How many of something there are, in all and from each address. */
export class AddressCounts {
  readonly #byAddress = new Map<string, number>()
  #total = 0

  get total(): number {
    return this.#total
  }

  of(address: string): number {
    return this.#byAddress.get(address) ?? 0
  }

  /** Counts one more; gives the function that counts it no longer, which does nothing when called again. */
  add(address: string): () => void {
    let isCounted = true
    this.#total++
    this.#byAddress.set(address, this.of(address) + 1)
    return () => {
      if (!isCounted) return
      isCounted = false
      this.#total--
      const left = this.of(address) - 1
      if (left === 0) this.#byAddress.delete(address)
      else this.#byAddress.set(address, left)
    }
  }
}
