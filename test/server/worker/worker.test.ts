import t from 'tap'
import type { Test } from 'tap'
import type { GenerationRequest } from '../../../engine/index.ts'
import { silentLog } from '../../../server/log.ts'
import type { TaskEvent } from '../../../server/queue/contract.ts'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import type { TaskRecord, TaskSnapshot } from '../../../server/queue/task-record.ts'
import { UploadError } from '../../../server/outbound/upload-image.ts'
import type { StoredImage } from '../../../server/storage/image-store.ts'
import { StorageError } from '../../../server/storage/storage-error.ts'
import { Worker } from '../../../server/worker/worker.ts'
import type { WorkerOptions } from '../../../server/worker/worker.ts'
import { testLimits } from '../queue/conformance.ts'
import { makeTask } from '../queue/task-fixture.ts'
import { FakeEngine, fakeEncode } from './fake-engine.ts'

function setUp(t: Test, options: Partial<WorkerOptions> = {}) {
  const queue = new MemoryQueue({ ...testLimits, maxFinished: 1000, maxKeys: 1000, now: () => 0 })
  const stored = new Map<string, { image: StoredImage; bytes: Uint8Array }>()
  const started: GenerationRequest[] = []
  const ends = new Map<string, TaskSnapshot>()
  const waiters = new Set<() => void>()
  const wake = () => waiters.forEach(waiter => waiter())
  let most = 0
  const engine: FakeEngine = new FakeEngine({
    onStart: request => {
      started.push(request)
      most = Math.max(most, engine.size)
      wake()
    },
    onEnd: wake,
  })
  queue.subscribe((event: TaskEvent) => {
    if (event.type === 'ended') ends.set(event.snapshot.record.taskUUID, event.snapshot)
    wake()
  })
  const worker = new Worker({
    name: 'w', capacity: 4, imageTtlSeconds: 60, claims: queue, engine, encode: fakeEncode, now: () => 5_000, log: silentLog,
    store: { put: async (image, bytes) => void stored.set(image.imageUUID, { image, bytes }), read: async uuid => stored.get(uuid) },
    fetchImage: async () => { throw new Error('tests fetch nothing') },
    uploadImage: async () => { throw new Error('tests upload nothing') },
    ...options,
  })
  const run = worker.run()
  t.teardown(async () => {
    worker.drain(AbortSignal.abort())
    await run
    await queue.stop()
  })
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise<void>(resolve => waiters.add(resolve))
  }
  const end = async ({ taskUUID }: TaskRecord) => {
    await until(() => ends.has(taskUUID))
    return ends.get(taskUUID)
  }
  const submitAll = (...tasks: TaskRecord[]) => Promise.all(tasks.map(task => queue.submit(task)))
  return { queue, worker, run, engine, stored, started, end, until, submitAll, most: () => most }
}

t.test('a task becomes stored pictures and committed results', async t => {
  const { end, submitAll, stored, started } = setUp(t)
  const task = makeTask({ results: 3, account: 'mine' })
  await submitAll(task)
  const snapshot = await end(task)
  t.equal(snapshot?.status, 'completed')
  t.strictSame(snapshot?.results, task.results.map(planned => ({ ...planned, byteLength: 3, format: 'PNG' })))
  for (const { imageUUID, seed } of task.results) {
    t.strictSame(stored.get(imageUUID), {
      image: { imageUUID, account: 'mine', format: 'PNG', byteLength: 3, expiresAt: 65_000 },
      bytes: Uint8Array.of(seed, 0, 0),
    })
  }
  t.match(started, task.results.map(({ seed }) => ({ ...task.request, seed, owner: 'mine' })))
  t.equal(new Set(started.map(({ id }) => id)).size, 3)
})

t.test('a picture lives as long as its task says', async t => {
  const { end, submitAll, stored } = setUp(t)
  const task = makeTask()
  const brief: TaskRecord = { ...task, output: { ...task.output, ttlSeconds: 7 } }
  await submitAll(brief)
  await end(brief)
  t.equal(stored.get(task.results[0]?.imageUUID ?? '')?.image.expiresAt, 12_000)
})

t.test('no more results than the capacity are in the engine, however many a task has', async t => {
  const { end, submitAll, most } = setUp(t)
  const tasks = [makeTask({ results: 11 }), makeTask({ results: 3 }), makeTask({ results: 6 })]
  await submitAll(...tasks)
  for (const task of tasks) t.equal((await end(task))?.status, 'completed')
  t.equal(most(), 4)
})

t.test('tasks run side by side: one that never ends holds up nobody', async t => {
  const { end, submitAll } = setUp(t)
  const [held, other] = [makeTask({ prompt: 'hold' }), makeTask()]
  await submitAll(held, other)
  t.equal((await end(other))?.status, 'completed')
})

t.test('an account that has filled the worker keeps no other from joining', async t => {
  const { end, submitAll, started, until } = setUp(t)
  await submitAll(...Array.from({ length: 3 }, () => makeTask({ prompt: 'hold', results: 3, account: 'many' })))
  await until(() => started.length >= 4)
  const first = makeTask({ account: 'few' })
  const second = makeTask({ account: 'fewer', results: 2 })
  await submitAll(first, second)
  t.equal((await end(first))?.status, 'completed')
  t.equal((await end(second))?.status, 'completed')
  t.equal(started.filter(({ owner }) => owner === 'many').length, 4, 'which has no more places for it')
})

t.test('each failure reaches the client with its code and parameter, and without a path', async t => {
  const { end, submitAll } = setUp(t)
  const expected = {
    engineError: { code: 'inferenceError', message: 'The picture has values that are no numbers.' },
    badScheduler: { code: 'invalidScheduler', parameter: 'scheduler' },
    outOfMemory: { code: 'inferenceError', message: /memory/ },
    modelError: { code: 'modelUnavailable', parameter: 'model', message: /a tensor is missing/ },
    bug: { code: 'processingFailed' },
  }
  for (const [prompt, error] of Object.entries(expected)) {
    const task = makeTask({ prompt })
    await submitAll(task)
    const snapshot = await end(task)
    t.match(snapshot, { status: 'failed', error: { ...error, taskUUID: task.taskUUID, taskType: 'imageInference' } }, prompt)
    t.notMatch(snapshot?.error?.message, /secret|\//)
  }
})

t.test('a store without space fails the task and the worker goes on', async t => {
  let isFull = true
  const { end, submitAll } = setUp(t, {
    store: {
      put: async () => {
        if (isFull) throw new StorageError('full', 'The image store has no space left', undefined)
      },
      read: async () => undefined,
    },
  })
  const [refused, kept] = [makeTask(), makeTask()]
  await submitAll(refused)
  t.match(await end(refused), { status: 'failed', error: { code: 'processingFailed', message: /no space left/ } })
  isFull = false
  await submitAll(kept)
  t.equal((await end(kept))?.status, 'completed')
})

t.test('the first failing result stops the others of its task and nobody else\'s', async t => {
  const { end, submitAll, engine, until } = setUp(t)
  const [failing, held] = [makeTask({ prompt: 'failSecond', results: 3 }), makeTask({ prompt: 'hold' })]
  await submitAll(held, failing)
  t.match(await end(failing), { status: 'failed', error: { code: 'inferenceError' }, results: [] })
  await until(() => engine.size === 1)
  t.equal(engine.size, 1)
})

t.test('cancelling a running task stops it in the engine and makes room', async t => {
  const { end, submitAll, until, queue, engine, started } = setUp(t)
  const held = makeTask({ prompt: 'hold', results: 4 })
  await submitAll(held)
  await until(() => started.length === 4)
  await queue.cancel(held.key)
  await until(() => engine.size === 0)
  t.equal((await end(held))?.status, 'cancelled')
  const next = makeTask({ results: 4 })
  await submitAll(next)
  t.equal((await end(next))?.status, 'completed')
})

t.test('a retry computes only what is not committed', async t => {
  const { end, queue, started } = setUp(t, { capacity: 4 })
  const blocker = makeTask({ prompt: 'hold', results: 4 })
  const task = makeTask({ results: 2 })
  await queue.submit(blocker)
  await queue.submit(task)
  const [lease] = await queue.claim('dying', 9, new AbortController().signal)
  if (!lease) throw new Error('nothing was claimed')
  const [first] = task.results
  if (!first) throw new Error('the task has no results')
  await queue.commit(lease, { ...first, byteLength: 3, format: 'PNG' })
  await queue.abandon('dying')
  await queue.cancel(blocker.key)
  t.match(await end(task), { status: 'completed', results: [{ index: 0 }, { index: 1 }] })
  t.strictSame(started.filter(({ prompt }) => prompt === 'a cup').map(({ seed }) => seed), [8])
})

t.test('a drain claims nothing more, finishes what runs, and gives back what does not end in time', async t => {
  const { worker, run, submitAll, until, queue, started, stored } = setUp(t)
  const [held, finishing] = [makeTask({ prompt: 'hold' }), makeTask({ steps: 20 })]
  await submitAll(held, finishing)
  await until(() => started.length === 2)
  const deadline = new AbortController()
  worker.drain(deadline.signal)
  const late = makeTask()
  await submitAll(late)
  await until(() => stored.size === 1)
  await until(() => started.length === 2)
  deadline.abort()
  await run
  t.equal((await queue.read(finishing.key))?.status, 'completed')
  t.equal((await queue.read(held.key))?.status, 'waiting')
  t.equal((await queue.read(late.key))?.status, 'waiting')
  const [lease] = await queue.claim('next', 1, new AbortController().signal)
  t.match(lease, { record: { key: held.key }, isRetry: false })
})

t.test('a picture goes to the URL of its task; what the URL does not take is a result all the same, which says why', async t => {
  const sent: unknown[] = []
  const { end, submitAll } = setUp(t, {
    uploadImage: async (url, { bytes, mediaType }) => {
      sent.push({ url, bytes, mediaType })
      if (url.endsWith('/closed')) throw new UploadError('the server answered with status 403')
    },
  })
  const tasks = ['http://bucket.example/open', 'http://bucket.example/closed'].map((uploadUrl): TaskRecord => {
    const task = makeTask()
    return { ...task, output: { ...task.output, uploadUrl } }
  })
  await submitAll(...tasks)
  const ends = await Promise.all(tasks.map(end))
  const bytes = Uint8Array.of(7, 0, 0)
  t.strictSame(new Set(sent), new Set(tasks.map(({ output }) => ({ url: output.uploadUrl, bytes, mediaType: 'image/png' }))))
  t.match(ends, [{ status: 'completed' }, { status: 'completed' }])
  t.equal(ends[0]?.results[0]?.uploadFailure, undefined)
  t.equal(ends[1]?.results[0]?.uploadFailure, 'the server answered with status 403')
})

t.test('the verdict on a picture is part of its result, where the task asks for one', async t => {
  const { end, submitAll } = setUp(t)
  const tasks = (['sensitive', 'a cup', undefined] as const).map((prompt): TaskRecord => {
    const task = makeTask({ ...(prompt && { prompt }) })
    return { ...task, request: { ...task.request, ...(prompt && { checkContent: true }) } }
  })
  await submitAll(...tasks)
  const ends = await Promise.all(tasks.map(end))
  t.same(ends.map(snapshot => snapshot?.results[0]?.isSensitive), [true, false, undefined])
})

t.test('servers of clients that do not answer keep nobody else from the device', async t => {
  const stuck = (_url: string, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const { end, submitAll } = setUp(t, {
    fetchImage: stuck,
    uploadImage: (url, _upload, signal) => stuck(url, signal),
  })
  const slow = Array.from({ length: 8 }, (_, index): TaskRecord => {
    const task = makeTask({ results: 2 })
    const uploading: TaskRecord = { ...task, output: { ...task.output, uploadUrl: 'http://slow.example/' } }
    return index % 2 ? uploading : { ...task, request: { ...task.request, initImage: { type: 'url', url: 'http://slow.example/' } } }
  })
  const other = makeTask({ results: 3 })
  await submitAll(...slow, other)
  t.equal((await end(other))?.status, 'completed')
})

t.test('nor do the servers of one client keep another\'s pictures from being fetched', async t => {
  const fetched: string[] = []
  const { end, submitAll } = setUp(t, {
    capacity: 100,
    fetchImage: async (url, signal) => {
      signal.throwIfAborted()
      fetched.push(url)
      if (url.includes('slow')) await new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
      return Uint8Array.of(1)
    },
  })
  const fetching = (account: string, url: string): TaskRecord => {
    const task = makeTask({ account })
    return { ...task, request: { ...task.request, initImage: { type: 'url', url } } }
  }
  for (let i = 0; i < 90; i++) {
    await submitAll(fetching('many', 'http://slow.example/'))
    await new Promise(resolve => setImmediate(resolve))
  }
  t.ok(fetched.length > 40, String(fetched.length))
  const other = fetching('few', 'http://fast.example/')
  await submitAll(other)
  t.equal((await end(other))?.status, 'completed')
})
