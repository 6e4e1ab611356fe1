import t from 'tap'
import { Line } from '../../../server/queue/line.ts'

t.test('what comes first goes first, however many came and went', t => {
  const line = new Line<number>()
  t.equal(line.first, undefined)
  let next = 0
  let expected = 0
  for (let round = 0; round < 5_000; round++) {
    line.add(next++)
    line.add(next++)
    if (line.first !== expected) t.fail(`${line.first} is first instead of ${expected}`)
    line.dropFirst()
    expected++
    if (line.size !== next - expected) t.fail(`there are ${line.size} instead of ${next - expected}`)
  }
  while (line.size > 0) {
    if (line.first !== expected++) t.fail('the order is another')
    line.dropFirst()
  }
  line.dropFirst()
  t.equal(line.size, 0)
  t.end()
})
