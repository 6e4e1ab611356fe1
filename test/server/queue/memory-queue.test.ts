import t from 'tap'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import type { MemoryQueueOptions } from '../../../server/queue/memory-queue-options.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'
import { testLimits, testQueue } from './conformance.ts'
import { makeTask, resultOf } from './task-fixture.ts'

function makeQueue(limits: Partial<MemoryQueueOptions> = {}) {
  let now = 0
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 10_000, maxKeys: 10_000, ...limits, now: () => now })
  const pass = async (ms: number) => {
    now += ms
    await queue.sweep()
  }
  return { queue, pass }
}

testQueue('memory queue', async t => {
  const harness = makeQueue()
  t.teardown(() => harness.queue.stop())
  return harness
})

t.test('history never refuses work: of more than maxFinished the oldest is forgotten, its key last of all', async t => {
  const { queue, pass } = makeQueue({ maxFinished: 3, maxKeys: 2 })
  const tasks = Array.from({ length: 7 }, () => makeTask())
  for (const task of tasks) {
    t.strictSame(await queue.submit(task), { type: 'accepted' })
    await queue.cancel(task.key)
  }
  const live = makeTask()
  t.strictSame(await queue.submit(live), { type: 'accepted' })
  const states = await Promise.all([...tasks, live].map(async task => (await queue.read(task.key))?.status))
  t.strictSame(states, [undefined, undefined, undefined, undefined, 'cancelled', 'cancelled', 'cancelled', 'waiting'])
  const again = await Promise.all(tasks.slice(2).map(async task => (await queue.submit(task)).type))
  t.strictSame(again, ['conflict', 'conflict', 'conflict', 'conflict', 'conflict'])
  t.equal((await queue.submit(tasks[0] as TaskRecord)).type, 'accepted', 'the window in which a key stays taken is shorter under such a load')
  await pass(testLimits.finishedRetentionMs)
  t.strictSame((await queue.read(live.key))?.status, 'waiting')
})

t.test('a queue that is never idle takes work at any rate', async t => {
  const { queue } = makeQueue({ maxFinished: 100, maxKeys: 100 })
  const signal = new AbortController().signal
  let refused = 0
  for (let count = 0; count < 2000; count++) {
    const task = makeTask()
    if ((await queue.submit(task)).type !== 'accepted') refused++
    const [lease] = await queue.claim('w', 1, signal)
    if (!lease) throw new Error('nothing was claimed')
    await queue.commit(lease, resultOf(task))
    await queue.settle(lease)
  }
  t.equal(refused, 0)
  t.equal(queue.unfinished, 0)
})

t.test('at most maxKeys keys are remembered, the youngest', async t => {
  const { queue, pass } = makeQueue({ maxKeys: 2 })
  const tasks = [makeTask(), makeTask(), makeTask()]
  for (const task of tasks) {
    await queue.submit(task)
    await queue.cancel(task.key)
  }
  await pass(testLimits.finishedRetentionMs)
  t.strictSame(await Promise.all(tasks.map(async task => (await queue.submit(task)).type)), ['accepted', 'conflict', 'conflict'])
})

t.test('a closed queue takes nothing new and finishes what it has', async t => {
  const { queue } = makeQueue()
  const task = makeTask()
  await queue.submit(task)
  queue.close()
  await t.rejects(queue.submit(makeTask()), { name: 'QueueClosedError' })
  t.match(await queue.submit(task), { type: 'conflict' })
  const [lease] = await queue.claim('w', 1, new AbortController().signal)
  if (!lease) throw new Error('nothing was claimed')
  await queue.commit(lease, resultOf(task))
  await queue.settle(lease)
  t.equal((await queue.read(task.key))?.status, 'completed')
})

t.test('a queue whose process ends fails what has not ended, each task once', async t => {
  const { queue } = makeQueue()
  const [done, running, waiting] = [makeTask(), makeTask(), makeTask()]
  await queue.submit(done)
  await queue.cancel(done.key)
  await queue.submit(running)
  const [lease] = await queue.claim('w', 1, new AbortController().signal)
  await queue.submit(waiting)
  t.equal(queue.unfinished, 2)
  const ended: unknown[] = []
  queue.subscribe(event => event.type === 'ended' && ended.push(event.snapshot.error))
  queue.failUnfinished({ code: 'serviceUnavailable', message: 'stopping' })
  const error = ({ taskUUID, taskType }: typeof running) => ({ code: 'serviceUnavailable', message: 'stopping', taskType, taskUUID })
  t.strictSame(ended, [error(running), error(waiting)])
  t.equal(queue.unfinished, 0)
  t.equal(lease?.signal.aborted, true)
  queue.failUnfinished({ code: 'serviceUnavailable', message: 'stopping' })
  t.equal(ended.length, 2)
})

t.test('every task ends exactly once whatever workers and clients do', async t => {
  for (let seed = 1; seed <= 200; seed++) {
    const { queue, pass } = makeQueue({ maxWaiting: 1e6, maxWaitingPerAccount: 1e6 })
    const ends = new Map<string, number>()
    queue.subscribe(event => {
      if (event.type === 'ended') ends.set(event.snapshot.record.taskUUID, (ends.get(event.snapshot.record.taskUUID) ?? 0) + 1)
    })
    const random = makeRandom(seed)
    const held: Awaited<ReturnType<typeof queue.claim>>[number][] = []
    const tasks = Array.from({ length: 30 }, () => makeTask({ account: `a${random(4)}`, results: 1 + random(4), steps: 1 + random(5) }))
    const waiting = [...tasks]
    const tryClaim = async (worker: string) => {
      const controller = new AbortController()
      const claim = queue.claim(worker, 1 + random(6), controller.signal)
      await new Promise(resolve => setImmediate(resolve))
      controller.abort(new Error('enough'))
      held.push(...await claim.catch(() => []))
    }
    const work = async () => {
      const lease = held.splice(random(held.length), 1)[0]
      if (!lease) return
      for (const { index } of lease.record.results) {
        if (!lease.committed.includes(index)) await queue.commit(lease, resultOf(lease.record, index))
      }
      await queue.settle(lease)
    }
    for (let action = 0; action < 150; action++) {
      const next = random(10)
      const task = tasks[random(tasks.length)]
      if (next < 3 && waiting.length > 0) await queue.submit(waiting.pop() as (typeof tasks)[number])
      else if (next < 5) await tryClaim(`w${random(3)}`)
      else if (next < 7) await work()
      else if (next === 7) await queue.abandon(`w${random(3)}`)
      else if (next === 8 && task) await queue.cancel(task.key)
      else await pass(random(9_000))
    }
    for (const task of waiting) await queue.submit(task)
    for (let round = 0; round < 200 && queue.waiting + held.length > 0; round++) {
      await tryClaim(`w${round % 3}`)
      while (held.length > 0) await work()
    }
    await pass(testLimits.leaseMs)
    for (let round = 0; round < 200 && queue.waiting + held.length > 0; round++) {
      await tryClaim('last')
      while (held.length > 0) await work()
    }
    if (ends.size !== tasks.length || [...ends.values()].some(count => count !== 1)) t.fail(`seed ${seed}: ${ends.size} of ${tasks.length} tasks ended`)
  }
  t.pass('200 histories')
})

/** A small generator, so that a failing history can be run again. */
function makeRandom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
