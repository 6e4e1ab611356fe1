/** Lets a loop sleep until somebody has work for it; a call that comes while it is awake is not lost. */
export class WakeUp {
  #isDue = false
  #resolve: (() => void) | undefined

  /** Ends the sleep, or the next one. */
  call(): void {
    this.#isDue = true
    this.#resolve?.()
  }

  /** Sleeps until called. */
  async sleep(): Promise<void> {
    if (!this.#isDue) await new Promise<void>((resolve) => (this.#resolve = resolve))
    this.#resolve = undefined
    this.#isDue = false
  }
}
