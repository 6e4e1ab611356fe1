import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import type { Lease, TaskEvent, TaskQueue } from '../../../server/queue/contract.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'
import { makeTask, resultOf } from './task-fixture.ts'

/** A queue under test and the means to let time pass for it. */
export interface QueueHarness {
  readonly queue: TaskQueue
  /** Lets this much time pass and whatever is due happen. */
  pass(ms: number): Promise<void>
}

/** The caps and times every harness must set up. */
export const testLimits = {
  maxWaiting: 40,
  maxWaitingPerAccount: 20,
  finishedRetentionMs: 600_000,
  keyRetentionMs: 86_400_000,
  leaseMs: 15_000,
} as const

/** The one suite that every implementation of TaskQueue passes. */
export function testQueue(name: string, makeHarness: (t: Test) => Promise<QueueHarness>): void {
  const scenario = (title: string, run: (t: Test, harness: QueueHarness) => Promise<void>) =>
    t.test(`${name}: ${title}`, async t => run(t, await makeHarness(t)))

  scenario('a submitted task is claimed, committed, settled and read back', async (t, { queue }) => {
    const task = makeTask({ results: 2 })
    t.strictSame(await queue.submit(task), { type: 'accepted' })
    t.equal((await queue.read(task.key))?.status, 'waiting')
    const lease = await claimOne(queue)
    t.strictSame(lease.record, task)
    t.strictSame({ committed: lease.committed, isRetry: lease.isRetry, aborted: lease.signal.aborted }, { committed: [], isRetry: false, aborted: false })
    t.equal((await queue.read(task.key))?.status, 'running')
    t.equal(await queue.commit(lease, resultOf(task, 1)), 'committed')
    t.equal(await queue.commit(lease, resultOf(task, 0)), 'committed')
    await queue.settle(lease)
    t.strictSame(await queue.read(task.key), { record: task, status: 'completed', results: [resultOf(task, 0), resultOf(task, 1)] })
  })

  scenario('a task of which nothing is known reads as undefined', async (t, { queue }) => {
    t.equal(await queue.read(makeTask().key), undefined)
    await queue.cancel(makeTask().key)
    t.equal(await queue.cancelIfWaiting(makeTask().key), false)
  })

  scenario('a repeated taskUUID of an account conflicts in every state and is queued once', async (t, { queue }) => {
    const task = makeTask()
    await queue.submit(task)
    const states: unknown[] = []
    const repeat = async () => {
      const outcome = await queue.submit({ ...task, request: { ...task.request, prompt: 'other' } })
      states.push(outcome.type === 'conflict' ? [outcome.existing.status, outcome.existing.record.request.prompt] : outcome.type)
    }
    await repeat()
    const lease = await claimOne(queue)
    await repeat()
    await queue.commit(lease, resultOf(task))
    await queue.settle(lease)
    await repeat()
    t.strictSame(states, [['waiting', 'a cup'], ['running', 'a cup'], ['completed', 'a cup']])
    t.equal(await nothingToClaim(queue), true)
  })

  scenario('of parallel submits of one taskUUID exactly one is accepted', async (t, { queue }) => {
    const task = makeTask()
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => queue.submit(task)))
    t.equal(outcomes.filter(({ type }) => type === 'accepted').length, 1)
    t.equal(outcomes.filter(({ type }) => type === 'conflict').length, 9)
  })

  scenario('two accounts may use the same taskUUID', async (t, { queue }) => {
    const first = makeTask({ account: 'a' })
    const second: TaskRecord = { ...first, key: { ...first.key, account: 'b' } }
    t.strictSame(await queue.submit(first), { type: 'accepted' })
    t.strictSame(await queue.submit(second), { type: 'accepted' })
    await queue.cancel(first.key)
    t.equal((await queue.read(second.key))?.status, 'waiting')
  })

  scenario('a finished task is readable for the retention time and its key conflicts for longer', async (t, { queue, pass }) => {
    const task = makeTask({ delivery: 'async' })
    await queue.submit(task)
    const lease = await claimOne(queue)
    await queue.commit(lease, resultOf(task))
    await queue.settle(lease)
    await pass(testLimits.finishedRetentionMs - 1)
    t.equal((await queue.read(task.key))?.status, 'completed')
    await pass(2)
    t.equal(await queue.read(task.key), undefined)
    const outcome = await queue.submit({ ...task, delivery: 'sync' })
    t.match(outcome, { type: 'conflict', existing: { status: 'completed', results: [], record: { delivery: 'async' } } })
    await pass(testLimits.keyRetentionMs)
    t.strictSame(await queue.submit(task), { type: 'accepted' })
  })

  scenario('a waiting or running task is never forgotten', async (t, { queue, pass }) => {
    const [running, waiting] = [makeTask(), makeTask()]
    await queue.submit(running)
    await claimOne(queue)
    await queue.submit(waiting)
    for (let passed = 0; passed <= testLimits.finishedRetentionMs; passed += testLimits.leaseMs - 1) {
      await pass(testLimits.leaseMs - 1)
      await queue.renew('w')
    }
    t.equal((await queue.read(running.key))?.status, 'running')
    t.equal((await queue.read(waiting.key))?.status, 'waiting')
  })

  scenario('an account that has its share waiting is told that the queue is full, others are not', async (t, { queue }) => {
    for (let i = 0; i < testLimits.maxWaitingPerAccount; i++) await queue.submit(makeTask({ account: 'greedy' }))
    const refused = makeTask({ account: 'greedy' })
    t.strictSame(await queue.submit(refused), { type: 'full' })
    t.equal(await queue.read(refused.key), undefined)
    t.strictSame(await queue.submit(makeTask({ account: 'modest' })), { type: 'accepted' })
    await queue.claim('w', 1, new AbortController().signal)
    await queue.claim('w', 1, new AbortController().signal)
    t.strictSame(await queue.submit(refused), { type: 'accepted' }, 'a refused taskUUID can be tried again')
  })

  scenario('a full queue refuses every account', async (t, { queue }) => {
    for (let i = 0; i < testLimits.maxWaiting; i++) await queue.submit(makeTask({ account: `account-${i % 5}` }))
    t.strictSame(await queue.submit(makeTask({ account: 'new' })), { type: 'full' })
  })

  scenario('a claim waits for a task, and the longest waiting worker gets the first', async (t, { queue }) => {
    const claims = ['w1', 'w2'].map(worker => queue.claim(worker, 1, new AbortController().signal))
    const tasks = [makeTask(), makeTask()]
    for (const task of tasks) await queue.submit(task)
    const leases = (await Promise.all(claims)).flat()
    t.strictSame(leases.map(({ worker, record }) => [worker, record.key]), [['w1', tasks[0]?.key], ['w2', tasks[1]?.key]])
  })

  scenario('an aborted claim rejects with the reason and takes nothing', async (t, { queue }) => {
    const controller = new AbortController()
    const claim = queue.claim('w', 1, controller.signal)
    const reason = new Error('drained')
    controller.abort(reason)
    await t.rejects(claim, reason)
    await t.rejects(queue.claim('w', 1, controller.signal), reason)
    await queue.submit(makeTask())
    t.ok(await claimOne(queue))
  })

  scenario('a claim takes tasks up to its room and at least one', async (t, { queue }) => {
    for (const results of [2, 1, 3, 9, 1]) await queue.submit(makeTask({ results }))
    const sizes = async (room: number) => {
      const leases = await queue.claim('w', room, new AbortController().signal)
      return leases.map(({ record }) => record.results.length)
    }
    t.strictSame(await sizes(4), [2, 1])
    t.strictSame(await sizes(4), [3])
    t.strictSame(await sizes(4), [9])
    t.strictSame(await sizes(4), [1])
  })

  scenario('accounts take turns however many tasks one of them has', async (t, { queue }) => {
    for (let i = 0; i < 10; i++) await queue.submit(makeTask({ account: 'many' }))
    for (let i = 0; i < 2; i++) await queue.submit(makeTask({ account: 'few' }))
    const order: string[] = []
    for (let i = 0; i < 5; i++) order.push((await claimOne(queue)).record.key.account)
    t.strictSame(order.filter(account => account === 'few').length, 2)
    t.strictSame(order.slice(0, 4).sort(), ['few', 'few', 'many', 'many'])
  })

  scenario('turns are measured in work: an account with long tasks gets fewer of them', async (t, { queue }) => {
    for (let i = 0; i < 8; i++) await queue.submit(makeTask({ account: 'long', steps: 40 }))
    for (let i = 0; i < 8; i++) await queue.submit(makeTask({ account: 'short', steps: 10 }))
    const order: string[] = []
    for (let i = 0; i < 10; i++) order.push((await claimOne(queue)).record.key.account)
    t.equal(order.filter(account => account === 'long').length, 2)
  })

  scenario('an account that sends its next task only after the last one started gains nothing by it', async (t, { queue }) => {
    for (let i = 0; i < 8; i++) await queue.submit(makeTask({ account: 'patient' }))
    await queue.submit(makeTask({ account: 'sly' }))
    const order: string[] = []
    for (let i = 0; i < 8; i++) {
      const { account } = (await claimOne(queue)).record.key
      order.push(account)
      if (account === 'sly') await queue.submit(makeTask({ account: 'sly' }))
    }
    t.equal(order.filter(account => account === 'sly').length, 4)
  })

  scenario('a claim for newcomers takes only tasks of accounts of which the worker has none, and one of each', async (t, { queue }) => {
    const claimed = async (worker: string, room: number) => {
      const controller = new AbortController()
      const claim = queue.claimForNewcomers(worker, room, controller.signal)
      await claimsHaveArrived()
      controller.abort(new Error('enough'))
      return (await claim.catch(() => [])).map(({ record }) => record.key.account)
    }
    for (let i = 0; i < 4; i++) await queue.submit(makeTask({ account: 'many' }))
    const lease = await claimOne(queue)
    t.strictSame(await claimed('w', 9), [], 'the worker has one of theirs')
    await queue.submit(makeTask({ account: 'few' }))
    await queue.submit(makeTask({ account: 'few' }))
    await queue.submit(makeTask({ account: 'fewer' }))
    t.strictSame(await claimed('w', 9), ['few', 'fewer'])
    t.strictSame((await claimed('other', 1)).length, 1, 'what one worker has says nothing of another')
    await queue.giveBack(lease)
    t.strictSame(await claimed('w', 9), ['many'], 'when it has none any more')
  })

  scenario('a claim for newcomers waits for one, and takes nothing that another claim could have', async (t, { queue }) => {
    const { signal } = new AbortController()
    const forNewcomers = queue.claimForNewcomers('w', 1, signal)
    const claim = queue.claim('w', 1, signal)
    await claimsHaveArrived()
    await queue.submit(makeTask({ account: 'many' }))
    t.match(await claim, [{ record: { key: { account: 'many' } } }], 'though it has waited for a shorter time')
    await queue.submit(makeTask({ account: 'many' }))
    await queue.submit(makeTask({ account: 'few' }))
    t.match(await forNewcomers, [{ record: { key: { account: 'few' } } }])
  })

  scenario('events come in order: results as they are committed, then the end', async (t, { queue }) => {
    const events: TaskEvent[] = []
    const unsubscribe = queue.subscribe(event => events.push(event))
    const task = makeTask({ results: 2 })
    await queue.submit(task)
    const lease = await claimOne(queue)
    await queue.commit(lease, resultOf(task, 0))
    await queue.commit(lease, resultOf(task, 1))
    await queue.settle(lease)
    t.strictSame(events, [
      { type: 'result', record: task, result: resultOf(task, 0) },
      { type: 'result', record: task, result: resultOf(task, 1) },
      { type: 'ended', snapshot: { record: task, status: 'completed', results: [resultOf(task, 0), resultOf(task, 1)] } },
    ])
    unsubscribe()
    await queue.submit(makeTask())
    await queue.cancel((await claimOne(queue)).record.key)
    t.equal(events.length, 3, 'nothing comes after unsubscribing')
  })

  scenario('the first commit of a result wins', async (t, { queue }) => {
    const results: TaskEvent[] = []
    queue.subscribe(event => event.type === 'result' && results.push(event))
    const task = makeTask()
    await queue.submit(task)
    const lease = await claimOne(queue)
    t.equal(await queue.commit(lease, resultOf(task)), 'committed')
    t.equal(await queue.commit(lease, { ...resultOf(task), byteLength: 5 }), 'superseded')
    t.equal(results.length, 1)
    t.strictSame((await queue.read(task.key))?.results, [resultOf(task)])
  })

  scenario('a commit of a picture that the task did not plan is refused', async (t, { queue }) => {
    const task = makeTask()
    await queue.submit(task)
    const lease = await claimOne(queue)
    await t.rejects(queue.commit(lease, { ...resultOf(task), imageUUID: 'f' }))
    await t.rejects(queue.commit(lease, { ...resultOf(task), index: 4 }))
  })

  scenario('a task cannot be settled before all its results are committed', async (t, { queue }) => {
    const task = makeTask({ results: 2 })
    await queue.submit(task)
    const lease = await claimOne(queue)
    await queue.commit(lease, resultOf(task))
    await t.rejects(queue.settle(lease))
    t.equal((await queue.read(task.key))?.status, 'running')
  })

  scenario('a failed task keeps its error and what was committed before', async (t, { queue }) => {
    const events: TaskEvent[] = []
    queue.subscribe(event => events.push(event))
    const task = makeTask({ results: 2 })
    await queue.submit(task)
    const lease = await claimOne(queue)
    await queue.commit(lease, resultOf(task))
    const error = { code: 'inferenceError', message: 'No picture.' } as const
    await queue.fail(lease, error)
    const snapshot = { record: task, status: 'failed', results: [resultOf(task)], error } as const
    t.strictSame(await queue.read(task.key), snapshot)
    t.strictSame(events.at(-1), { type: 'ended', snapshot })
    await queue.fail(lease, error)
    await queue.settle(lease)
    t.equal(events.length, 2, 'a task ends once')
  })

  scenario('a cancelled waiting task never starts', async (t, { queue }) => {
    const ended: TaskEvent[] = []
    queue.subscribe(event => ended.push(event))
    const [cancelled, next] = [makeTask(), makeTask()]
    await queue.submit(cancelled)
    await queue.submit(next)
    await queue.cancel(cancelled.key)
    await queue.cancel(cancelled.key)
    t.strictSame((await claimOne(queue)).record.key, next.key)
    t.match(ended, [{ type: 'ended', snapshot: { status: 'cancelled' } }])
    t.equal(ended.length, 1)
  })

  scenario('cancelling a running task aborts its lease, and later commits change nothing', async (t, { queue }) => {
    const events: string[] = []
    queue.subscribe(({ type }) => events.push(type))
    const task = makeTask({ results: 2 })
    await queue.submit(task)
    const lease = await claimOne(queue)
    await queue.commit(lease, resultOf(task))
    await queue.cancel(task.key)
    await aborted(lease)
    t.equal(await queue.commit(lease, resultOf(task, 1)), 'superseded')
    await queue.settle(lease)
    t.strictSame(events, ['result', 'ended'])
    t.match(await queue.read(task.key), { status: 'cancelled', results: [resultOf(task)] })
  })

  scenario('cancelIfWaiting leaves a running task alone and says so', async (t, { queue }) => {
    const [running, waiting] = [makeTask(), makeTask()]
    await queue.submit(running)
    const lease = await claimOne(queue)
    await queue.submit(waiting)
    t.equal(await queue.cancelIfWaiting(running.key), false)
    t.equal(await queue.cancelIfWaiting(waiting.key), true)
    t.equal(await queue.cancelIfWaiting(waiting.key), false)
    t.equal(lease.signal.aborted, false)
  })

  scenario('a task given back goes first, is no retry, and loses its lease without an end', async (t, { queue }) => {
    const events: string[] = []
    queue.subscribe(({ type }) => events.push(type))
    const [first, second] = [makeTask(), makeTask()]
    await queue.submit(first)
    await queue.submit(second)
    await queue.giveBack(await claimOne(queue))
    t.equal((await queue.read(first.key))?.status, 'waiting')
    const again = await claimOne(queue)
    t.strictSame([again.record.key, again.isRetry], [first.key, false])
    t.strictSame(events, [])
  })

  scenario('a dead worker loses its leases and its tasks are given out once more, each alone', async (t, { queue }) => {
    const tasks = [makeTask(), makeTask(), makeTask()]
    for (const task of tasks) await queue.submit(task)
    const lost = await queue.claim('w', 2, new AbortController().signal)
    await queue.abandon('w')
    for (const lease of lost) await aborted(lease)
    const first = await queue.claim('w2', 9, new AbortController().signal)
    t.strictSame(first.map(({ record, isRetry }) => [record.key, isRetry]), [[tasks[0]?.key, true]])
    const second = queue.claim('w2', 9, new AbortController().signal)
    t.equal(await isPending(second), true, 'a worker with a retry gets nothing more')
    for (const lease of first) await finish(queue, lease)
    t.strictSame((await second).map(({ record, isRetry }) => [record.key, isRetry]), [[tasks[1]?.key, true]])
    const third = queue.claim('w2', 9, new AbortController().signal)
    for (const lease of await second) await finish(queue, lease)
    t.strictSame((await third).map(({ record, isRetry }) => [record.key, isRetry]), [[tasks[2]?.key, false]])
  })

  scenario('a busy worker gets no new tasks while a retry waits, and the retry when it is idle', async (t, { queue }) => {
    const [busy, poison, other] = [makeTask(), makeTask(), makeTask()]
    await queue.submit(busy)
    const running = await claimOne(queue, 'w1')
    await queue.submit(poison)
    await claimOne(queue, 'w2')
    await queue.abandon('w2')
    await queue.submit(other)
    const claim = queue.claim('w1', 5, new AbortController().signal)
    t.equal(await isPending(claim), true)
    await finish(queue, running)
    t.strictSame((await claim).map(({ record }) => record.key), [poison.key])
  })

  scenario('one retry holds up one busy worker only, and an idle worker takes it from that one', async (t, { queue }) => {
    const [one, two, poison, other] = [makeTask(), makeTask(), makeTask(), makeTask()]
    await queue.submit(one)
    await claimOne(queue, 'w1')
    await queue.submit(two)
    await claimOne(queue, 'w2')
    await queue.submit(poison)
    await claimOne(queue, 'w3')
    await queue.abandon('w3')
    const first = queue.claim('w1', 5, new AbortController().signal)
    const second = queue.claim('w2', 5, new AbortController().signal)
    await queue.submit(other)
    t.strictSame((await second).map(({ record }) => record.key), [other.key])
    t.equal(await isPending(first), true)
    t.strictSame((await claimOne(queue, 'w4')).record.key, poison.key)
    const late = makeTask()
    await queue.submit(late)
    t.strictSame((await first).map(({ record }) => record.key), [late.key])
  })

  scenario('the second death of a task fails it and it is not given out again', async (t, { queue }) => {
    const ended: TaskEvent[] = []
    queue.subscribe(event => ended.push(event))
    const task = makeTask()
    await queue.submit(task)
    await claimOne(queue, 'w1')
    await queue.abandon('w1')
    t.equal((await queue.read(task.key))?.status, 'waiting')
    t.equal((await claimOne(queue, 'w2')).isRetry, true)
    await queue.abandon('w2')
    t.match(ended, [{ type: 'ended', snapshot: { status: 'failed', error: { code: 'processingFailed', taskUUID: task.taskUUID } } }])
    t.equal(await nothingToClaim(queue), true)
  })

  scenario('a retry skips what is committed, and a commit of the dead worker that comes late still counts once', async (t, { queue }) => {
    const task = makeTask({ results: 3 })
    await queue.submit(task)
    const lost = await claimOne(queue, 'w1')
    await queue.commit(lost, resultOf(task, 1))
    await queue.abandon('w1')
    t.equal(await queue.commit(lost, resultOf(task, 0)), 'committed')
    const retry = await claimOne(queue, 'w2')
    t.strictSame(retry.committed, [0, 1])
    t.equal(await queue.commit(retry, resultOf(task, 0)), 'superseded')
    await queue.fail(lost, { code: 'inferenceError', message: 'late' })
    await queue.settle(lost)
    await queue.giveBack(lost)
    t.equal((await queue.read(task.key))?.status, 'running', 'a lost lease ends nothing')
    await queue.commit(retry, resultOf(task, 2))
    await queue.settle(retry)
    t.equal((await queue.read(task.key))?.status, 'completed')
  })

  scenario('a worker that dies after its last commit leaves a completed task', async (t, { queue }) => {
    const task = makeTask()
    await queue.submit(task)
    await queue.commit(await claimOne(queue), resultOf(task))
    await queue.abandon('w')
    t.equal((await queue.read(task.key))?.status, 'completed')
  })

  scenario('a worker silent for the lease time is taken for dead, one that renews is not', async (t, { queue, pass }) => {
    const [kept, lost] = [makeTask(), makeTask()]
    await queue.submit(kept)
    const keptLease = await claimOne(queue, 'alive')
    await queue.submit(lost)
    const lostLease = await claimOne(queue, 'silent')
    await pass(testLimits.leaseMs - 1)
    t.equal(lostLease.signal.aborted, false)
    await queue.renew('alive')
    await pass(2)
    await aborted(lostLease)
    t.equal(keptLease.signal.aborted, false)
    t.strictSame((await claimOne(queue, 'other')).record.key, lost.key)
  })

  scenario('a worker that waits for work is not taken for dead', async (t, { queue, pass }) => {
    const claim = queue.claim('w', 1, new AbortController().signal)
    await pass(testLimits.leaseMs * 3)
    await queue.submit(makeTask())
    t.equal((await claim).length, 1)
  })

  scenario('a retry given back stays a retry', async (t, { queue }) => {
    await queue.submit(makeTask())
    await claimOne(queue)
    await queue.abandon('w')
    await queue.giveBack(await claimOne(queue))
    t.equal((await claimOne(queue)).isRetry, true)
  })

  scenario('cancelling a retry lets its worker go on', async (t, { queue }) => {
    const [poison, other] = [makeTask(), makeTask()]
    await queue.submit(poison)
    await claimOne(queue)
    await queue.abandon('w')
    await queue.cancel(poison.key)
    await queue.submit(other)
    t.strictSame((await claimOne(queue)).record.key, other.key)
  })

  scenario('stop ends pending claims and can be called twice', async (t, { queue }) => {
    const claim = queue.claim('w', 1, new AbortController().signal)
    await Promise.all([t.rejects(claim), queue.stop()])
    await queue.stop()
  })
}

async function claimOne(queue: TaskQueue, worker = 'w'): Promise<Lease> {
  const [lease] = await queue.claim(worker, 1, new AbortController().signal)
  if (!lease) throw new Error('A claim gave nothing')
  return lease
}

async function finish(queue: TaskQueue, lease: Lease): Promise<void> {
  for (const { index } of lease.record.results) {
    if (!lease.committed.includes(index)) await queue.commit(lease, resultOf(lease.record, index))
  }
  await queue.settle(lease)
}

async function nothingToClaim(queue: TaskQueue): Promise<boolean> {
  const controller = new AbortController()
  const claim = queue.claim('nobody', 1, controller.signal)
  const isEmpty = await isPending(claim)
  controller.abort(new Error('enough'))
  await claim.catch(() => [])
  return isEmpty
}

/** Whether a promise is unsettled after everything that is due now has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  const turn = new Promise(resolve => setImmediate(() => setImmediate(() => resolve(pending))))
  return (await Promise.race([promise.catch(() => undefined), turn])) === pending
}

async function aborted({ signal }: Lease): Promise<void> {
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
}

/** A claim of another process is on its way for some turns. */
async function claimsHaveArrived(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn()
}
