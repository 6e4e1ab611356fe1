import t from 'tap'
import fc from 'fast-check'
import { FairBacklog } from '../../../server/queue/fair-backlog.ts'
import { TaskEntry } from '../../../server/queue/task-entry.ts'
import { taskCost } from '../../../server/queue/task-cost.ts'
import { makeTask } from './task-fixture.ts'

const accountOf = (entry: TaskEntry) => entry.record.key.account

function makeEntry(account: string, steps = 10): TaskEntry {
  return new TaskEntry(makeTask({ account, steps }))
}

function takeNext(backlog: FairBacklog, isWanted?: (account: string) => boolean): TaskEntry | undefined {
  const entry = backlog.peek(isWanted)
  if (entry) backlog.take(entry)
  return entry
}

t.test('whatever comes, goes and is given back, it knows how many wait, and of whom', t => {
  const action = fc.record({ type: fc.constantFrom('add', 'add', 'take', 'giveBack', 'remove'), account: fc.integer({ min: 0, max: 40 }), steps: fc.integer({ min: 1, max: 50 }) })
  fc.assert(fc.property(fc.array(action, { minLength: 20, maxLength: 150 }), actions => {
    const backlog = new FairBacklog()
    const waiting: TaskEntry[] = []
    const taken: TaskEntry[] = []
    const ofAccount = (account: string) => waiting.filter(entry => accountOf(entry) === account)
    for (const { type, account, steps } of actions) {
      if (type === 'add') {
        const entry = makeEntry(`a${account}`, steps)
        waiting.push(entry)
        backlog.add(entry)
      } else if (type === 'take') {
        const entry = takeNext(backlog)
        if (!entry) continue
        waiting.splice(waiting.indexOf(entry), 1)
        taken.push(entry)
      } else if (type === 'giveBack') {
        const entry = taken.pop()
        if (!entry) continue
        waiting.push(entry)
        backlog.giveBack(entry)
      } else {
        const [entry] = waiting.splice(account % Math.max(1, waiting.length), 1)
        if (entry && !backlog.remove(entry)) return false
      }
      if (backlog.size !== waiting.length) return false
      if (backlog.sizeOf(`a${account}`) !== ofAccount(`a${account}`).length) return false
      if ((backlog.peek() === undefined) !== (waiting.length === 0)) return false
    }
    return true
  }))
  t.end()
})

t.test('many accounts that always wait have the same in the end, give or take a task', t => {
  const backlog = new FairBacklog()
  const accounts = Array.from({ length: 100 }, (_, index) => `a${index}`)
  for (const account of accounts) for (let i = 0; i < 3; i++) backlog.add(makeEntry(account, 1 + accounts.indexOf(account) % 7))
  const had = new Map<string, number>()
  for (let i = 0; i < 3000; i++) {
    const entry = takeNext(backlog)
    if (!entry) throw new Error('nothing waits')
    had.set(accountOf(entry), (had.get(accountOf(entry)) ?? 0) + taskCost(entry.record))
    backlog.add(makeEntry(accountOf(entry), entry.record.request.totalSteps))
  }
  const costs = [...had.values()]
  t.equal(costs.length, accounts.length)
  t.ok(Math.max(...costs) - Math.min(...costs) <= taskCost(makeTask({ steps: 7 })))
  t.end()
})

t.test('those who are not wanted keep their place in the order', t => {
  const backlog = new FairBacklog()
  for (const account of ['a', 'b', 'c', 'a', 'b', 'c']) backlog.add(makeEntry(account))
  const order = [takeNext(backlog, account => account === 'c'), takeNext(backlog), takeNext(backlog, account => account !== 'b'), takeNext(backlog)]
  t.strictSame(order.map(entry => entry && accountOf(entry)), ['c', 'a', 'a', 'b'])
  t.equal(takeNext(backlog, () => false), undefined)
  t.equal(backlog.size, 2)
  t.end()
})
