/** Remembers what was made of objects for as long as somebody holds the first of them. */
export class WorkMemory {
  readonly #made = new WeakMap<object, Map<string, Promise<unknown>>>()

  /**
   * Makes something once for an object and a key; a failure is remembered too.
   * @param key says what is made, and always the same type of thing
   */
  once<T>(of: object, key: string, make: () => Promise<T>): Promise<T> {
    const known = this.#made.get(of) ?? new Map<string, Promise<unknown>>()
    this.#made.set(of, known)
    const made = known.get(key) ?? make()
    known.set(key, made)
    return made as Promise<T>
  }
}
