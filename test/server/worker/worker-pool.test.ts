import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import type { RunReport } from '../../../engine/index.ts'
import { silentLog } from '../../../server/log.ts'
import type { TaskEvent } from '../../../server/queue/contract.ts'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import type { TaskRecord, TaskSnapshot } from '../../../server/queue/task-record.ts'
import type { WorkerSettings } from '../../../server/worker/ipc-messages.ts'
import { WorkerPool } from '../../../server/worker/worker-pool.ts'
import type { WorkerPoolOptions } from '../../../server/worker/worker-pool.ts'
import { forkWorker } from '../../../server/worker/worker-process.ts'
import { testLimits } from '../queue/conformance.ts'
import { makeTask } from '../queue/task-fixture.ts'

interface Choices extends Partial<Pick<WorkerPoolOptions, 'fork' | 'devices' | 'now'>> {
  readonly warmUp?: readonly string[]
  readonly stalledAfterMs?: number
  readonly now?: () => number
}

/** A pool of real processes with fake engines, a queue, and a way to await what happens. */
function setUp(t: Test, { warmUp = ['test:tiny@1'], stalledAfterMs = 60_000, fork, devices = [{ type: 'cpu' }], now = () => performance.now() }: Choices = {}) {
  const folder = t.testdir()
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 1000, maxKeys: 1000, now })
  const ends = new Map<string, TaskSnapshot>()
  const reports: RunReport[] = []
  const waiters = new Set<() => void>()
  const wake = () => {
    for (const waiter of waiters) waiter()
    waiters.clear()
  }
  queue.subscribe((event: TaskEvent) => {
    if (event.type === 'ended') ends.set(event.snapshot.record.taskUUID, event.snapshot)
    wake()
  })
  const settings = (device: WorkerSettings['device'], worker: string): WorkerSettings => ({
    worker, device, precision: 'default', registry: { models: [], broken: [] }, warmUp, threads: 1, weightsBudgetBytes: 1, maxRows: 2, capacity: 4, imageFolder: folder, imageTtlSeconds: 60, fetch: { maxBytes: 2 ** 20, timeoutMs: 1000, privateHosts: [] }, logLevel: 'silent',
  })
  const pool = new WorkerPool({
    devices, queue, settings, now,
    log: { ...silentLog, info: wake, warn: wake, error: wake },
    fork: fork ?? (() => forkWorker(new URL('fake-worker-main.js', import.meta.url))),
    policy: { firstDelayMs: 1, maxDelayMs: 4, maxFailedStarts: 3, steadyAfterMs: 60_000, stalledAfterMs },
    onRun: (_, report) => {
      reports.push(report)
      wake()
    },
  })
  t.teardown(async () => {
    await pool.stop(0)
    await queue.stop()
  })
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise<void>(resolve => waiters.add(resolve))
  }
  const end = async ({ taskUUID }: TaskRecord) => {
    await until(() => ends.has(taskUUID))
    return ends.get(taskUUID)
  }
  const status = async (task: TaskRecord) => (await queue.read(task.key))?.status
  return { folder, queue, pool, reports, end, until, status }
}

t.test('a pool becomes ready, computes tasks in a child process and reports its runs', async t => {
  const { pool, queue, end, folder, reports } = setUp(t)
  t.equal(pool.isReady, false)
  t.match(pool.unreadyReason, /^cpu: /)
  pool.start()
  t.equal(await pool.whenReady(), true)
  t.equal(pool.unreadyReason, undefined)
  const [status] = pool.statuses
  t.match(status, { state: 'ready', device: { type: 'cpu' }, restarts: 0 })
  t.not(status?.pid, process.pid)
  const task = makeTask({ results: 2, steps: 3 })
  await queue.submit(task)
  t.equal((await end(task))?.status, 'completed')
  t.strictSame(readdirSync(folder).sort(), task.results.map(({ imageUUID }) => `${imageUUID}.image`).sort())
  t.equal(reports.filter(({ stage }) => stage === 'denoise').length, 6)
  t.match(reports[0], { stage: 'encodePrompt', model: 'test:tiny@1', rows: 1 })
})

t.test('a worker killed in the middle of a task starts again and the task is completed', async t => {
  const { pool, queue, end, until, folder } = setUp(t)
  pool.start()
  await pool.whenReady()
  const [before] = pool.statuses
  const gate = join(folder, 'gate')
  const running = [makeTask({ prompt: `holdUntil ${gate}`, results: 2 }), makeTask({ prompt: `holdUntil ${gate}` })]
  const waiting = makeTask({ results: 3 })
  for (const task of running) await queue.submit(task)
  await queue.submit(waiting)
  await until(() => queue.waiting <= 1)
  process.kill(before?.pid ?? 0, 'SIGKILL')
  await until(() => !pool.isReady)
  t.match(pool.unreadyReason, /SIGKILL/)
  writeFileSync(gate, '')
  for (const task of [...running, waiting]) t.match(await end(task), { status: 'completed', results: { length: task.results.length } })
  t.match(pool.statuses, [{ state: 'ready', restarts: 1 }])
  t.not(pool.statuses[0]?.pid, before?.pid)
})

t.test('a task that kills its worker once is completed, one that does it twice fails, and its neighbours are completed', async t => {
  const { pool, queue, end, folder } = setUp(t)
  pool.start()
  const tasks = {
    once: makeTask({ prompt: `crashOnce ${join(folder, 'crashed')}` }),
    twice: makeTask({ prompt: 'crash' }),
    neighbour: makeTask({ steps: 50, results: 2 }),
  }
  for (const task of Object.values(tasks)) await queue.submit(task)
  t.equal((await end(tasks.once))?.status, 'completed')
  t.equal((await end(tasks.neighbour))?.status, 'completed')
  t.match(await end(tasks.twice), { status: 'failed', error: { code: 'processingFailed', taskUUID: tasks.twice.taskUUID } })
  t.equal(await pool.whenReady(), true)
})

t.test('cancelling a task reaches the engine in the child process', async t => {
  const { pool, queue, end, reports, until } = setUp(t)
  pool.start()
  const held = makeTask({ steps: 1_000_000_000 })
  await queue.submit(held)
  await until(() => reports.length > 1)
  await queue.cancel(held.key)
  t.equal((await end(held))?.status, 'cancelled')
  const next = makeTask({ results: 9 })
  await queue.submit(next)
  t.equal((await end(next))?.status, 'completed')
})

t.test('a worker whose thread never comes back is ended and its task runs again', async t => {
  const { pool, queue, end, folder } = setUp(t, { stalledAfterMs: 1500 })
  pool.start()
  const task = makeTask({ prompt: `spinOnce ${join(folder, 'spun')}` })
  await queue.submit(task)
  t.equal((await end(task))?.status, 'completed')
  t.match(pool.statuses, [{ restarts: 1 }])
})

t.test('a pool whose worker cannot load any model gives up and says why', async t => {
  const { pool } = setUp(t, { warmUp: ['broken:one@1', 'broken:two@1'] })
  pool.start()
  t.equal(await pool.whenReady(), false)
  t.match(pool.statuses, [{ state: 'failed' }])
  t.match(pool.unreadyReason, 'cpu: No model can be loaded (broken:one@1: its weights are missing; broken:two@1: its weights are missing) (3 starts in a row)')
})

t.test('a broken model does not keep a worker from starting with the next one', async t => {
  const { pool } = setUp(t, { warmUp: ['broken:one@1', 'test:tiny@1'] })
  pool.start()
  t.equal(await pool.whenReady(), true)
})

t.test('a worker that dies while it starts is given up after some tries, with the way it ended', async t => {
  const { pool } = setUp(t, { warmUp: ['deadly:one@1'] })
  pool.start()
  t.equal(await pool.whenReady(), false)
  t.match(pool.unreadyReason, /was ended by SIGKILL while it was starting/)
})

t.test('a worker script that is not there is a failed start, not a crash of the server', async t => {
  const { pool } = setUp(t, { fork: () => forkWorker(new URL('no-such-worker.js', import.meta.url)) })
  pool.start()
  t.equal(await pool.whenReady(), false)
  t.match(pool.unreadyReason, /ended with exit code 1/)
})

t.test('two devices have a process each and share the work', async t => {
  const { pool, queue, end, until } = setUp(t, { devices: [{ type: 'cuda', index: 0 }, { type: 'cuda', index: 1 }] })
  pool.start()
  await until(() => pool.statuses.every(({ state }) => state === 'ready'))
  t.equal(new Set(pool.statuses.map(({ pid }) => pid)).size, 2)
  const held = [makeTask({ prompt: 'hold', results: 4 }), makeTask({ prompt: 'hold', results: 4 })]
  for (const task of held) await queue.submit(task)
  await until(() => queue.waiting === 0)
  for (const task of held) await queue.cancel(task.key)
  const next = makeTask()
  await queue.submit(next)
  t.equal((await end(next))?.status, 'completed')
})

t.test('stop lets the worker finish what it runs', async t => {
  const { pool, queue, until, status, folder, reports } = setUp(t)
  pool.start()
  await pool.whenReady()
  const gate = join(folder, 'gate')
  const task = makeTask({ prompt: `holdUntil ${gate}` })
  await queue.submit(task)
  await until(() => reports.length > 0)
  const stopped = pool.stop(60_000)
  writeFileSync(gate, '')
  await stopped
  t.equal(await status(task), 'completed')
  t.match(pool.statuses, [{ state: 'stopped' }])
  t.equal(await pool.whenReady(), false)
})

t.test('stop gives back what does not end in time, and can be called twice', async t => {
  const { pool, queue, until, status, reports } = setUp(t)
  pool.start()
  await pool.whenReady()
  const { pid } = pool.statuses[0] ?? {}
  const task = makeTask({ prompt: 'hold' })
  await queue.submit(task)
  await until(() => reports.length > 0)
  await pool.stop(0)
  await pool.stop(0)
  t.equal(await status(task), 'waiting')
  t.equal(existsSync(`/proc/${pid}`), false)
})

t.test('a worker\'s process is told none of the server\'s settings and runs at a low priority', { skip: process.platform !== 'linux' && 'reads /proc' }, async t => {
  process.env.LATENTD_API_KEY = 'secret'
  t.teardown(() => { delete process.env.LATENTD_API_KEY })
  const { readFile } = await import('node:fs/promises')
  const { pool } = setUp(t)
  pool.start()
  await pool.whenReady()
  const { pid } = pool.statuses[0] ?? {}
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
  t.match(environment, 'MALLOC_TRIM_THRESHOLD_=1048576')
  t.notMatch(environment, 'LATENTD_')
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')
  t.equal(Number(fields?.[16]), 10, 'nice')
})
