/** What a text encoder makes of one chunk of text; whoever is given it does not write to it. */
export interface ChunkEmbeds {
  /** Row-major [tokens, width]. */
  readonly states: Float32Array
  /** The chunk as one vector, from encoders that give it. */
  readonly textEmbeds?: Float32Array
}

/** Remembers encoded chunks of text, least recently used first to go when the bytes reach the cap. */
export class EmbedsCache {
  readonly #maxBytes: number
  /** A Map iterates in insertion order; a hit is moved to the end. */
  readonly #entries = new Map<string, ChunkEmbeds>()
  #byteLength = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get byteLength(): number {
    return this.#byteLength
  }

  get(key: string): ChunkEmbeds | undefined {
    const embeds = this.#entries.get(key)
    if (embeds === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, embeds)
    return embeds
  }

  set(key: string, embeds: ChunkEmbeds): void {
    this.#drop(key)
    this.#entries.set(key, embeds)
    this.#byteLength += bytesOf(embeds)
    for (const oldest of this.#entries.keys()) {
      if (this.#byteLength <= this.#maxBytes) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const embeds = this.#entries.get(key)
    if (embeds === undefined) return
    this.#entries.delete(key)
    this.#byteLength -= bytesOf(embeds)
  }
}

function bytesOf({ states, textEmbeds }: ChunkEmbeds): number {
  return states.byteLength + (textEmbeds?.byteLength ?? 0)
}
