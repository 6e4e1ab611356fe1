import { EventEmitter } from 'node:events'
import t from 'tap'
import { silentLog } from '../../server/log.ts'
import { MemoryQueue } from '../../server/queue/memory-queue.ts'
import { stopOnSignal, whenFinished } from '../../server/shutdown.ts'
import { testLimits } from './queue/conformance.ts'
import { makeTask } from './queue/task-fixture.ts'

t.test('the first signal stops the server, the second makes it hurry, and the signals are free again after', async t => {
  for (const signals of [['SIGTERM', 'SIGTERM'], ['SIGINT', 'SIGTERM']] as const) {
    const source = new EventEmitter()
    const calls: string[] = []
    const stopping = stopOnSignal({
      stop: async hurry => {
        calls.push('stop')
        await new Promise<void>(resolve => hurry.addEventListener('abort', () => resolve()))
        calls.push('hurried')
      },
    }, source, silentLog)
    source.emit(signals[0], signals[0])
    await new Promise(resolve => setImmediate(resolve))
    t.strictSame(calls, ['stop'])
    source.emit(signals[1], signals[1])
    await stopping
    t.strictSame(calls, ['stop', 'hurried'])
    t.equal(source.listenerCount('SIGTERM') + source.listenerCount('SIGINT'), 0)
  }
})

t.test('a queue is finished when its last task ends', async t => {
  const queue = new MemoryQueue({ ...testLimits, minRetentionMs: 0, maxTasks: 10, maxKeys: 10, now: () => 0 })
  const { signal } = new AbortController()
  t.equal(await whenFinished(queue, signal), true)
  const tasks = [makeTask(), makeTask()]
  for (const task of tasks) await queue.submit(task)
  let isFinished = false
  const finished = whenFinished(queue, signal).then(result => { isFinished = result })
  for (const task of tasks) {
    t.equal(isFinished, false)
    await queue.cancel(task.key)
    await new Promise(resolve => setImmediate(resolve))
  }
  await finished
  t.equal(isFinished, true)
})

t.test('waiting for a queue ends with its deadline', async t => {
  const queue = new MemoryQueue({ ...testLimits, minRetentionMs: 0, maxTasks: 10, maxKeys: 10, now: () => 0 })
  await queue.submit(makeTask())
  const deadline = new AbortController()
  const finished = whenFinished(queue, deadline.signal)
  deadline.abort()
  t.equal(await finished, false)
  t.equal(await whenFinished(queue, deadline.signal), false)
})
