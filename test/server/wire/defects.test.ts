import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import type { ModelRegistry } from '../../../engine/index.ts'
import type { Log, LogFields } from '../../../server/log.ts'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import type { TaskKey, TaskSnapshot } from '../../../server/queue/task-record.ts'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { inference, isAbout, keyA, keyB, startTestGateway, testQueueOptions, testRegistry } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'

interface Logged {
  readonly event: string
  readonly fields: LogFields
}

/** A log that keeps what is written as an error. */
function keepErrors(errors: Logged[]): Log {
  const ignore = () => undefined
  const log: Log = { debug: ignore, info: ignore, warn: ignore, error: (event, fields = {}) => void errors.push({ event, fields }), with: () => log }
  return log
}

/** What a defect looks like: something that nobody expects to be thrown there. */
function defect(place: string): never {
  throw new TypeError(`There is a defect in ${place}`)
}

const brokenModels: ModelRegistry = { ...testRegistry, find: air => air === 'local:defect@1' ? defect('the registry') : testRegistry.find(air) }

/** A queue that is as it should be but for tasks whose UUID begins with `bad`. */
class BrokenQueue extends MemoryQueue {
  override async read(key: TaskKey): Promise<TaskSnapshot | undefined> {
    const snapshot = await super.read(key)
    if (snapshot?.record.taskUUID.startsWith('bad')) return { ...snapshot, get results() { return defect('the snapshot') } }
    return snapshot
  }
}

async function startBroken(t: Test, errors: Logged[]) {
  const server = await startTestGateway({
    log: keepErrors(errors),
    models: brokenModels,
    makeQueue: clock => new BrokenQueue({ ...testQueueOptions, now: () => clock.now() }),
    authenticator: { authenticate: key => key === 'defect' ? defect('the authenticator') : key === keyA ? { account: 'a', keyId: 'ka' } : { account: 'b', keyId: 'kb' } },
  })
  t.teardown(() => server.stop())
  return server
}

/** The one error that was logged, with its stack. */
function takeLogged(t: Test, errors: Logged[], event: string, fields: LogFields): void {
  t.equal(errors.length, 1)
  const [logged] = errors.splice(0)
  t.equal(logged?.event, event)
  t.match(logged?.fields, fields)
  t.match((logged?.fields['error'] as Error | undefined)?.stack, /There is a defect in/)
}

t.test('a defect while a task is planned is that task\'s error; the connection and its neighbours go on', async t => {
  const errors: Logged[] = []
  const server = await startBroken(t, errors)
  const [client, neighbour] = [await server.login(), await server.login(keyB)]
  const [broken, before, after] = [inference({ model: 'local:defect@1' }), inference(), inference()]
  client.send(before, broken, after)
  const error = await client.waitForFrame(({ errors }) => errors !== undefined)
  t.strictSame(error, { errors: [{ code: 'internalServerError', message: 'The server failed to handle the task.', taskType: 'imageInference', taskUUID: broken.taskUUID }] })
  takeLogged(t, errors, 'taskDefect', { taskType: 'imageInference', taskUUID: broken.taskUUID })
  for (const task of [before, after]) t.ok(client.frames.some(isAbout(task.taskUUID)) || await client.waitForFrame(isAbout(task.taskUUID)))
  const theirs = inference()
  neighbour.send(theirs)
  t.equal((await neighbour.results(theirs.taskUUID, 1)).length, 1)
  const again = inference()
  client.send(again)
  t.equal((await client.results(again.taskUUID, 1)).length, 1)
})

t.test('a defect in an upload or a poll is its error, and later ones are answered', async t => {
  const errors: Logged[] = []
  const server = await startBroken(t, errors)
  const client = await server.login()
  server.images.put = async () => defect('the store')
  const upload = { taskType: 'imageUpload', taskUUID: randomUUID(), image: onePixelPng.toString('base64') }
  client.send(upload)
  t.match(await client.next(), { errors: [{ taskUUID: upload.taskUUID }] })
  errors.length = 0
  const bad = inference({ taskUUID: 'bad-1', deliveryMethod: 'async', positivePrompt: 'hold' })
  client.send(bad)
  await client.waitForFrame(isAbout(bad.taskUUID))
  client.send({ taskType: 'getResponse', taskUUID: bad.taskUUID })
  t.match(await client.next(), { errors: [{ code: 'internalServerError', taskType: 'getResponse', taskUUID: bad.taskUUID }] })
  takeLogged(t, errors, 'taskDefect', { taskType: 'getResponse', taskUUID: bad.taskUUID })
  client.send({ taskType: 'getResponse', taskUUID: 'nobody' })
  t.match(await client.next(), { errors: [{ code: 'taskNotFound', taskUUID: 'nobody' }] })
})

t.test('a defect while a frame is read ends that connection with 1011, and its session is resumed', async t => {
  const errors: Logged[] = []
  const server = await startBroken(t, errors)
  const [client, neighbour] = [await server.login(), await server.login(keyB)]
  const held = inference({ positivePrompt: 'hold' })
  client.send(held)
  await server.worker.whenClaimed(1)
  client.send({ taskType: 'authentication', apiKey: 'defect' })
  t.equal(await client.waitForClose(), 1011)
  takeLogged(t, errors, 'connectionDefect', {})
  t.same(await neighbour.settle(), [])
  const back = await server.login(keyA, client.sessionUUID)
  t.equal(back.sessionUUID, client.sessionUUID)
  server.worker.release()
  t.equal((await back.results(held.taskUUID, 1)).length, 1)
})

t.test('a defect in one task of a request is that task\'s error beside the others\' end', async t => {
  const errors: Logged[] = []
  const server = await startBroken(t, errors)
  const [broken, good] = [inference({ model: 'local:defect@1' }), inference()]
  const response = await fetch(`${server.httpUrl}/v1`, { method: 'POST', headers: { Authorization: `Bearer ${keyA}` }, body: JSON.stringify([good, broken]) })
  t.equal(response.status, 500)
  const { errors: [error] = [] } = await response.json() as { readonly errors?: readonly Item[] }
  t.match(error, { code: 'internalServerError', taskUUID: broken.taskUUID })
  takeLogged(t, errors, 'taskDefect', { taskUUID: broken.taskUUID })
  t.equal((await server.queue.read({ account: 'a', taskUUID: good.taskUUID }))?.status, 'completed')
})
