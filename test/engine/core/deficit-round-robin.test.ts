import t from 'tap'
import fc from 'fast-check'
import { DeficitRoundRobin } from '../../../engine/core/deficit-round-robin.ts'

await t.test('equals take turns in the order they came', async (t) => {
  const turns = new DeficitRoundRobin()
  turns.retain(new Set(['a', 'b', 'c']))
  const served: string[] = []
  for (let i = 0; i < 7; i++) {
    const key = turns.order()[0] as string
    served.push(key)
    turns.charge({ key, weight: 1 }, 5)
  }
  t.equal(served.join(''), 'abcabca')
})

await t.test('whatever the costs and weights, what a busy key received stays within one run of its share', async () => {
  const costs = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 })
  const contender = fc.record({ weight: fc.integer({ min: 1, max: 5 }), costs })
  fc.assert(fc.property(fc.array(contender, { minLength: 2, maxLength: 6 }), (contenders) => {
    const turns = new DeficitRoundRobin()
    turns.retain(new Set(contenders.map((_, i) => String(i))))
    const received = contenders.map(() => 0)
    for (let i = 0; i < 300; i++) {
      const key = turns.order()[0] as string
      const { weight, costs } = contenders[Number(key)] as (typeof contenders)[number]
      const cost = costs[i % costs.length] as number
      received[Number(key)] = (received[Number(key)] as number) + cost / weight
      turns.charge({ key, weight }, cost)
    }
    return Math.max(...received) - Math.min(...received) <= 100
  }))
})

await t.test('a key that left comes back level with the one that is due', async (t) => {
  const turns = new DeficitRoundRobin()
  turns.retain(new Set(['a', 'b']))
  turns.charge({ key: 'b', weight: 1 }, 1000)
  turns.charge({ key: 'a', weight: 1 }, 900)
  turns.retain(new Set(['b']))
  turns.retain(new Set(['a', 'b']))
  turns.charge({ key: turns.order()[0] as string, weight: 1 }, 1)
  t.equal(turns.order()[0], 'a', 'b had its turn, and a is not held to what it received before')
})
