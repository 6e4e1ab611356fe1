import type { NoiseSource } from '../schedulers/noise-scheduler.ts'
import { MersenneTwister } from './mersenne-twister.ts'

/** Values of one Box-Muller block: the first half becomes cosines, the second half sines. */
const BLOCK = 16
const HALF_BLOCK = 8

/**
 * Standard normal numbers as PyTorch's CPU generator gives them after `manual_seed(seed)`, to 2e-6.
 * Seeds that differ only above bit 31 give the same numbers, there as here.
 * @param seed 0 to 2^53-1.
 * @throws RangeError for any other seed.
 */
export function createNoiseSource(seed: number): NoiseSource {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`expected a seed from 0 to 2^53-1, got ${seed}`)
  return new TorchNoiseSource(new MersenneTwister(seed))
}

class TorchNoiseSource implements NoiseSource {
  readonly #words: MersenneTwister
  /** The sine of the last pair that a short draw used only the cosine of; long draws leave it alone. */
  #spare: number | undefined

  constructor(words: MersenneTwister) {
    this.#words = words
  }

  next(count: number): Float32Array {
    const out = new Float32Array(count)
    if (count < BLOCK) {
      for (let i = 0; i < count; i++) out[i] = this.#nextPolar()
      return out
    }
    this.#fillUniform(out)
    for (let start = 0; start + BLOCK <= count; start += BLOCK) transformBlock(out, start)
    if (count % BLOCK !== 0) {
      // PyTorch draws the last block again, over what the whole blocks have left there.
      const last = out.subarray(count - BLOCK)
      this.#fillUniform(last)
      transformBlock(last, 0)
    }
    return out
  }

  /** 24 random bits a value, in [0, 1). */
  #fillUniform(out: Float32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = (this.#words.nextUint32() & 0xffffff) * 2 ** -24
  }

  /** 53 random bits, in [0, 1). */
  #nextUniform53(): number {
    const high = this.#words.nextUint32() & 0x1fffff
    return (high * 2 ** 32 + this.#words.nextUint32()) * 2 ** -53
  }

  /** Draws of fewer than a block are made one by one in double precision. */
  #nextPolar(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare
      this.#spare = undefined
      return spare
    }
    const theta = 2 * Math.PI * this.#nextUniform53()
    const radius = Math.sqrt(-2 * Math.log1p(-this.#nextUniform53()))
    this.#spare = radius * Math.sin(theta)
    return radius * Math.cos(theta)
  }
}

/** Box-Muller over a block of uniforms. */
function transformBlock(values: Float32Array, start: number): void {
  for (let i = start; i < start + HALF_BLOCK; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[i]))
    const theta = Math.fround(Math.fround(2 * Math.PI) * values[i + HALF_BLOCK])
    // Sine and cosine together, of the rest of a quarter turn: series that end beyond double precision's 15th digit.
    const quarter = Math.round(theta * QUARTERS)
    const rest = theta - quarter * (Math.PI / 2)
    const square = rest * rest
    const sine = rest * (1 + square * (S3 + square * (S5 + square * (S7 + square * (S9 + square * (S11 + square * (S13 + square * S15)))))))
    const cosine = 1 + square * (C2 + square * (C4 + square * (C6 + square * (C8 + square * (C10 + square * (C12 + square * C14))))))
    const isOdd = (quarter & 1) === 1
    values[i] = radius * (isOdd ? (quarter === 1 ? -sine : sine) : quarter === 2 ? -cosine : cosine)
    values[i + HALF_BLOCK] = radius * (isOdd ? (quarter === 1 ? cosine : -cosine) : quarter === 2 ? -sine : sine)
  }
}

/** Quarter turns in a radian. */
const QUARTERS = 2 / Math.PI

// 1 / n!, of alternating sign.
const [S3, S5, S7, S9, S11, S13, S15] = [-1 / 6, 1 / 120, -1 / 5040, 1 / 362_880, -1 / 39_916_800, 1 / 6_227_020_800, -1 / 1_307_674_368_000]
const [C2, C4, C6, C8, C10, C12, C14] = [-1 / 2, 1 / 24, -1 / 720, 1 / 40_320, -1 / 3_628_800, 1 / 479_001_600, -1 / 87_178_291_200]
