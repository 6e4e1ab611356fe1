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
    values[i] = radius * Math.cos(theta)
    values[i + HALF_BLOCK] = radius * Math.sin(theta)
  }
}
