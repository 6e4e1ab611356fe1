import { EventEmitter } from 'node:events'
import t from 'tap'
import { silentLog } from '../../server/log.ts'
import type { LogFields } from '../../server/log.ts'
import { MemoryQueue } from '../../server/queue/memory-queue.ts'
import { DefectError, stopOnSignal, whenFinished } from '../../server/shutdown.ts'
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

t.test('what nobody caught stops the server in a hurry, is logged with its stack, and is thrown after', async t => {
  const source = new EventEmitter()
  const logged: LogFields[] = []
  const log = { ...silentLog, error: (event: string, fields: LogFields = {}) => void logged.push({ event, ...fields }) }
  const calls: string[] = []
  const stopping = stopOnSignal({ stop: async hurry => void calls.push(hurry.aborted ? 'hurried' : 'waited') }, source, log)
  const error = new TypeError('nobody catches this')
  source.emit('uncaughtException', error, 'unhandledRejection')
  await t.rejects(stopping, DefectError)
  t.strictSame(calls, ['hurried'])
  t.strictSame(logged, [{ event: 'uncaught', error }])
  t.equal(source.listenerCount('uncaughtException') + source.listenerCount('SIGTERM'), 0)
})

t.test('a server that cannot even stop after a defect is left', async t => {
  const source = new EventEmitter()
  const stopping = stopOnSignal({ stop: () => new Promise(() => {}) }, source, silentLog, { stopWithinMs: 1 })
  source.emit('uncaughtException', new Error('first'))
  source.emit('uncaughtException', new Error('second'))
  // The process of a server has its socket to live for.
  const alive = setInterval(() => {}, 1000)
  await t.rejects(stopping, DefectError)
  clearInterval(alive)
})

t.test('a queue is finished when its last task ends', async t => {
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 10, maxKeys: 10, now: () => 0 })
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
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 10, maxKeys: 10, now: () => 0 })
  await queue.submit(makeTask())
  const deadline = new AbortController()
  const finished = whenFinished(queue, deadline.signal)
  deadline.abort()
  t.equal(await finished, false)
  t.equal(await whenFinished(queue, deadline.signal), false)
})
