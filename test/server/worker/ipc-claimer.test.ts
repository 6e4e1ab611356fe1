import t from 'tap'
import type { TaskQueue } from '../../../server/queue/contract.ts'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import { ClaimBridge } from '../../../server/worker/claim-bridge.ts'
import { IpcClaimer } from '../../../server/worker/ipc-claimer.ts'
import type { FromWorker, ToWorker } from '../../../server/worker/ipc-messages.ts'
import { testLimits, testQueue } from '../queue/conformance.ts'
import { makeTask, resultOf } from '../queue/task-fixture.ts'
import { linkChannels } from './linked-channels.ts'

function makeQueue() {
  let now = 0
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 10_000, maxKeys: 10_000, now: () => now })
  return {
    queue,
    pass: async (ms: number) => {
      now += ms
      await queue.sweep()
    },
  }
}

function linkWorker(queue: TaskQueue, worker: string) {
  const { left, right, close } = linkChannels<FromWorker, ToWorker>()
  const bridge = new ClaimBridge({ worker, queue, channel: right })
  return { bridge, claimer: new IpcClaimer(left), close }
}

testQueue('memory queue behind a line between processes', async t => {
  const { queue, pass } = makeQueue()
  t.teardown(() => queue.stop())
  const links = new Map<string, ReturnType<typeof linkWorker>>()
  const link = (worker: string) => {
    const known = links.get(worker) ?? linkWorker(queue, worker)
    links.set(worker, known)
    return known
  }
  const remote: TaskQueue = {
    submit: record => queue.submit(record),
    cancel: key => queue.cancel(key),
    cancelIfWaiting: key => queue.cancelIfWaiting(key),
    read: key => queue.read(key),
    subscribe: listener => queue.subscribe(listener),
    claim: (worker, room, signal) => link(worker).claimer.claim(worker, room, signal),
    claimForNewcomers: (worker, room, signal) => link(worker).claimer.claimForNewcomers(worker, room, signal),
    renew: worker => link(worker).bridge.renew(),
    commit: (lease, result) => link(lease.worker).claimer.commit(lease, result),
    fail: (lease, error) => ifHeld(() => link(lease.worker).claimer.fail(lease, error)),
    settle: lease => ifHeld(() => link(lease.worker).claimer.settle(lease)),
    giveBack: lease => ifHeld(() => link(lease.worker).claimer.giveBack(lease)),
    abandon: worker => queue.abandon(worker),
    stop: () => queue.stop(),
  }
  return { queue: remote, pass }
})

t.test('a closed line gives the tasks of its worker out again and ends what the worker waits for', async t => {
  const { queue } = makeQueue()
  const { bridge, claimer, close } = linkWorker(queue, 'w1')
  const task = makeTask()
  await queue.submit(task)
  const [lease] = await claimer.claim('w1', 1, new AbortController().signal)
  if (!lease) throw new Error('nothing was claimed')
  const waiting = claimer.claim('w1', 1, new AbortController().signal)
  close()
  await t.rejects(waiting, { message: 'The gateway is gone' })
  t.equal(lease.signal.aborted, true)
  await t.rejects(claimer.commit(lease, resultOf(task)), { message: 'The gateway is gone' })
  await bridge.close()
  await bridge.close()
  const [retry] = await queue.claim('w2', 1, new AbortController().signal)
  t.match(retry, { record: { key: task.key }, isRetry: true })
})

t.test('a lease whose end comes in the same turn as the lease itself is known to have ended', async t => {
  const listeners: ((message: ToWorker) => void)[] = []
  const receive = (message: ToWorker) => {
    for (const listener of listeners) listener(message)
  }
  const claimer = new IpcClaimer({
    // A busy process reads both messages before any promise is settled.
    send: message => {
      if (message.type !== 'call') return
      receive({ type: 'reply', id: message.id, value: [{ id: 1, record: makeTask(), committed: [], isRetry: false }] })
      receive({ type: 'leaseEnded', lease: 1, reason: 'The task is cancelled' })
    },
    onMessage: listener => void listeners.push(listener),
    onClose: () => {},
  })
  const [lease] = await claimer.claim('w1', 1, new AbortController().signal)
  t.match(lease, { signal: { aborted: true, reason: { message: 'The task is cancelled' } } })
})

/** The suite ends some tasks twice; over a line the second is refused at once, in the worker. */
async function ifHeld(end: () => Promise<void>): Promise<void> {
  try {
    await end()
  } catch (error) {
    if (!(error instanceof Error) || error.message !== 'A lease was used after its end') throw error
  }
}
