/** Remembers encoded chunks of text, least recently used first to go when the bytes reach the cap. */
export class EmbedsCache {
  readonly #maxBytes: number
  /** A Map iterates in insertion order; a hit is moved to the end. */
  readonly #entries = new Map<string, Float32Array>()
  #byteLength = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get byteLength(): number {
    return this.#byteLength
  }

  get(key: string): Float32Array | undefined {
    const embeds = this.#entries.get(key)
    if (embeds === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, embeds)
    return embeds
  }

  set(key: string, embeds: Float32Array): void {
    this.#drop(key)
    this.#entries.set(key, embeds)
    this.#byteLength += embeds.byteLength
    for (const oldest of this.#entries.keys()) {
      if (this.#byteLength <= this.#maxBytes) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const embeds = this.#entries.get(key)
    if (embeds === undefined) return
    this.#entries.delete(key)
    this.#byteLength -= embeds.byteLength
  }
}
