import { readFileSync } from 'node:fs'
import t from 'tap'
import { createNoiseSource } from '../../../engine/random/noise-source.ts'

/** PyTorch's vectorised log, sine and cosine are not correctly rounded; the last bits may differ by this much. */
const TOLERANCE = 2e-6
const folder = 'test/reference/random'
const rows = JSON.parse(readFileSync(`${folder}/draws.json`, 'utf8')) as [seed: number, sizes: number[]][]
const bytes = readFileSync(`${folder}/draws.bin`)

t.test('draws are those of torch.randn, block by block, tail and short draws included', async (t) => {
  let offset = 0
  for (const [seed, sizes] of rows) {
    const noise = createNoiseSource(seed)
    for (const [call, size] of sizes.entries()) {
      const drawn = noise.next(size)
      let worst = drawn.length === size ? 0 : Infinity
      drawn.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - bytes.readFloatLE(offset + 4 * i)))))
      t.ok(worst <= TOLERANCE, `seed ${seed}, call ${call}, ${size} values: off by ${worst}`)
      offset += 4 * size
    }
  }
  t.equal(offset, bytes.length, 'every reference value was compared')
})

t.test('seeds that differ above bit 31 alone give the same noise', async (t) => {
  t.strictSame(createNoiseSource(2 ** 40 + 7).next(32), createNoiseSource(7).next(32))
  t.notSame(createNoiseSource(8).next(32), createNoiseSource(7).next(32))
})

t.test('sources do not disturb each other', async (t) => {
  const alone = createNoiseSource(3)
  const expected = [...alone.next(5), ...alone.next(20), ...alone.next(5)]
  const [one, other] = [createNoiseSource(3), createNoiseSource(4)]
  const drawn: number[] = []
  for (const size of [5, 20, 5]) {
    drawn.push(...one.next(size))
    other.next(size + 1)
  }
  t.strictSame(drawn, expected)
})

t.test('a draw of nothing takes nothing', async (t) => {
  const noise = createNoiseSource(5)
  t.equal(noise.next(0).length, 0)
  t.strictSame(noise.next(16), createNoiseSource(5).next(16))
})

t.test('a seed that is no whole number from 0 to 2^53-1 is refused', async (t) => {
  for (const seed of [-1, 0.5, NaN, Infinity, 2 ** 53]) t.throws(() => createNoiseSource(seed), RangeError)
})
