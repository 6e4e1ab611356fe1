import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { openRegistry } from '../../../engine/index.ts'
import type { RunReport } from '../../../engine/index.ts'
import { silentLog } from '../../../server/log.ts'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import type { TaskRecord, TaskSnapshot } from '../../../server/queue/task-record.ts'
import { DiskImageStore } from '../../../server/storage/disk-image-store.ts'
import { WorkerPool } from '../../../server/worker/worker-pool.ts'
import { forkWorker } from '../../../server/worker/worker-process.ts'
import { testLimits } from '../queue/conformance.ts'
import { makeTask } from '../queue/task-fixture.ts'

/** Compiled tests lie three folders below the output folder. */
const models = fileURLToPath(new URL('../../../../test/reference/models/sd1-tiny', import.meta.url))
const model = 'local:sd1-tiny@1'

/** The real worker script with the real engine and a small model; only the gateway is missing. */
async function setUp(t: Test) {
  const folder = join(t.testdir(), 'images')
  const now = () => performance.now()
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 1000, maxKeys: 1000, now })
  const store = new DiskImageStore({ folder, now: Date.now })
  const found = await openRegistry([models])
  const registry = { models: found.models, broken: found.broken }
  await store.start()
  const waiters = new Set<() => void>()
  const reports: RunReport[] = []
  const pool = new WorkerPool({
    devices: [{ type: 'cpu' }], queue, now, log: silentLog,
    fork: () => forkWorker(new URL('../../../server/worker-main.js', import.meta.url)),
    policy: { firstDelayMs: 1, maxDelayMs: 1, maxFailedStarts: 2, steadyAfterMs: 60_000, stalledAfterMs: 600_000 },
    settings: (device, worker) => ({
      worker, device, precision: 'default', registry, warmUp: [model], threads: 1, weightsBudgetBytes: 2 ** 30, maxRows: 8, capacity: 8,
      imageFolder: folder, imageTtlSeconds: 3600, fetch: { maxBytes: 2 ** 20, timeoutMs: 1000, privateHosts: [] }, logLevel: 'silent',
    }),
    onRun: (_, report) => {
      reports.push(report)
      for (const waiter of waiters) waiter()
      waiters.clear()
    },
  })
  t.teardown(async () => {
    await pool.stop(0)
    await queue.stop()
  })
  const run = async (...tasks: TaskRecord[]): Promise<readonly TaskSnapshot[]> => {
    const ended = new Map<string, TaskSnapshot>()
    return await new Promise(resolve => {
      const unsubscribe = queue.subscribe(event => {
        if (event.type === 'ended') ended.set(event.snapshot.record.taskUUID, event.snapshot)
        if (tasks.some(({ taskUUID }) => !ended.has(taskUUID))) return
        unsubscribe()
        resolve(tasks.map(({ taskUUID }) => ended.get(taskUUID) as TaskSnapshot))
      })
      for (const task of tasks) void queue.submit(task)
    })
  }
  const pixelsOf = async ({ results }: TaskSnapshot) => {
    const { default: sharp } = await import('sharp')
    return await Promise.all(results.map(async ({ imageUUID }) => {
      const stored = await store.read(imageUUID)
      if (!stored) throw new Error('A committed picture is not in the store')
      const { data, info } = await sharp(stored.bytes).raw().toBuffer({ resolveWithObject: true })
      return { data, size: [info.width, info.height, info.channels] }
    }))
  }
  const untilReports = async (isEnough: (reports: readonly RunReport[]) => boolean) => {
    while (!isEnough(reports)) await new Promise<void>(resolve => waiters.add(resolve))
  }
  pool.start()
  if (!await pool.whenReady()) throw new Error(pool.unreadyReason)
  return { pool, queue, run, pixelsOf, untilReports, reports }
}

const { pool, queue, run, pixelsOf, untilReports, reports } = await setUp(t)

t.test('a real worker computes pictures that prompts and seeds decide', async t => {
  const cup = makeTask({ model, results: 2, steps: 3, prompt: 'a red cup' })
  const again = makeTask({ model, results: 2, steps: 3, prompt: 'a red cup' })
  const other = makeTask({ model, results: 2, steps: 3, prompt: 'a blue house at night' })
  const snapshots = await run(cup, again, other)
  t.strictSame(snapshots.map(({ status }) => status), ['completed', 'completed', 'completed'])
  const [first, second, third] = await Promise.all(snapshots.map(pixelsOf))
  if (!first || !second || !third) throw new Error('three tasks have three lists of pictures')
  t.strictSame(first.map(({ size }) => size), [[64, 64, 3], [64, 64, 3]])
  t.ok(first[0]?.data.equals(second[0]?.data as Buffer), 'the same prompt and seed give the same picture')
  t.notOk(first[0]?.data.equals(first[1]?.data as Buffer), 'another seed gives another picture')
  t.notOk(first[0]?.data.equals(third[0]?.data as Buffer), 'another prompt gives another picture')
  t.ok(reports.some(({ stage, rows }) => stage === 'denoise' && rows > 1), 'rows of different tasks share runs')
})

t.test('a real worker killed in the middle of a task gives the same picture as one that was not', async t => {
  const [reference] = await run(makeTask({ model, steps: 12 }))
  const killed = makeTask({ model, steps: 12 })
  const { imageUUID } = killed.results[0] ?? {}
  const running = run(killed)
  await untilReports(reports => reports.filter(({ stage, generations }) => stage === 'denoise' && generations.some(id => id === imageUUID)).length >= 3)
  process.kill(pool.statuses[0]?.pid ?? 0, 'SIGKILL')
  const [snapshot] = await running
  t.equal(snapshot?.status, 'completed')
  t.match(pool.statuses, [{ restarts: 1 }])
  t.equal(queue.unfinished, 0)
  const pictures = await Promise.all([reference, snapshot].map(async task => (await pixelsOf(task as TaskSnapshot))[0]?.data))
  t.ok(pictures[0]?.equals(pictures[1] as Buffer))
})

t.test('a task for a model that is not there fails with the parameter\'s name, and one that is cancelled leaves', async t => {
  const [failed] = await run(makeTask({ model: 'local:none@1' }))
  t.match(failed, { status: 'failed', error: { code: 'modelUnavailable', parameter: 'model' } })
  const long = makeTask({ model, steps: 500 })
  const running = run(long)
  await untilReports(reports => reports.some(({ stage, generations }) => stage === 'denoise' && generations.includes(long.results[0]?.imageUUID ?? '')))
  await queue.cancel(long.key)
  t.match(await running, [{ status: 'cancelled' }])
  t.match(await run(makeTask({ model })), [{ status: 'completed' }])
})
