const STATE_WORDS = 624
const SHIFT_WORDS = 397

/** mt19937 of Matsumoto and Nishimura (1998): 32-bit words from a 32-bit seed. */
export class MersenneTwister {
  readonly #state = new Uint32Array(STATE_WORDS)
  #position = STATE_WORDS

  /** @param seed 0 to 2^53-1; only its low 32 bits count. */
  constructor(seed: number) {
    const state = this.#state
    state[0] = seed % 2 ** 32
    for (let i = 1; i < STATE_WORDS; i++) {
      const previous = state[i - 1]
      state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i
    }
  }

  /** The next word, 0 to 2^32-1. */
  nextUint32(): number {
    if (this.#position === STATE_WORDS) this.#twist()
    let word = this.#state[this.#position++]
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    word ^= word >>> 18
    return word >>> 0
  }

  /** Without a division or a branch for each word: noise is most of what some algorithms do beside the network. */
  #twist(): void {
    const state = this.#state
    const turn = STATE_WORDS - SHIFT_WORDS
    for (let i = 0; i < turn; i++) mix(state, i, i + 1, i + SHIFT_WORDS)
    for (let i = turn; i < STATE_WORDS - 1; i++) mix(state, i, i + 1, i - turn)
    mix(state, STATE_WORDS - 1, 0, SHIFT_WORDS - 1)
    this.#position = 0
  }
}

function mix(state: Uint32Array, at: number, next: number, shifted: number): void {
  const mixed = (state[at] & 0x80000000) | (state[next] & 0x7fffffff)
  state[at] = state[shifted] ^ (mixed >>> 1) ^ (-(state[next] & 1) & 0x9908b0df)
}
