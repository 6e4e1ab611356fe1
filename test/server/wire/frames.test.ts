import t from 'tap'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())

t.test('F01 F02 F03 every frame is text with one object that has either data or errors', async t => {
  const client = await server.login()
  const good = inference({ numberResults: 2 })
  client.send(good, inference({ steps: 0 }), { taskType: 'ping' })
  await client.results(good.taskUUID, 2)
  await client.settle()
  t.ok(client.texts.length >= 5)
  for (const [index, frame] of client.frames.entries()) {
    t.not(client.texts[index], '<binary>')
    t.notOk(Array.isArray(frame))
    if (frame.data) {
      t.same(Object.keys(frame), ['data'])
      t.ok(frame.data.length > 0)
    } else {
      t.same(Object.keys(frame), ['errors'])
      t.ok((frame.errors?.length ?? 0) > 0)
    }
  }
  await client.close()
})

t.test('F04 F05 F11 each task of an array is answered on its own, and one bad task harms no other', async t => {
  const client = await server.login()
  const [good, bad, other] = [inference(), inference({ width: 100 }), inference({ model: 'local:none@1' })]
  client.send(good, bad, other)
  const errors = [await client.waitForFrame(isAbout(bad.taskUUID)), await client.waitForFrame(isAbout(other.taskUUID))]
  for (const [frame, task, parameter] of [[errors[0], bad, 'width'], [errors[1], other, 'model']] as const) {
    t.equal(frame?.errors?.length, 1)
    t.match(frame?.errors?.[0], { taskUUID: task.taskUUID, taskType: 'imageInference', parameter })
  }
  client.send({ taskType: 'getResponse', taskUUID: good.taskUUID })
  await client.settle()
  t.ok(client.frames.some(isAbout(good.taskUUID)))
  await client.close()
})

t.test('F06 no error without a taskUUID is sent while a task is under way', async t => {
  const client = await server.login()
  server.worker.hold()
  const task = inference()
  client.send(task)
  await client.settle()
  for (const text of ['{', 'null', '[]', '[7]', '[{"taskType":"nothing"}]']) client.socket.send(text)
  t.same(await client.settle(), [])
  server.worker.unhold()
  t.equal((await client.results(task.taskUUID, 1)).length, 1)
  await client.drop()
})

t.test('F07 F08 taskUUID and taskType come back byte for byte, whatever form they have', async t => {
  const client = await server.login()
  for (const taskUUID of ['not-a-uuid', 'ABCDEF01-2345-4678-9ABC-DEF012345678', 'täsk \u{1f600}', ' spaced ']) {
    client.send(inference({ taskUUID }))
    const [item] = await client.results(taskUUID, 1)
    t.equal(item?.['taskUUID'], taskUUID)
    t.equal(item?.['taskType'], 'imageInference')
  }
  for (const taskType of ['imageCaption', 'caption', 'imageUpscale', 'upscale', 'imageControlNetPreProcess', 'controlNetPreprocess']) {
    client.send({ taskType, taskUUID: `of-${taskType}` })
    t.match((await client.next()).errors?.[0], { code: 'unsupportedTaskType', taskType, taskUUID: `of-${taskType}` })
  }
  await client.close()
})

t.test('F07 upper and lower case of a taskUUID name the same task', async t => {
  const client = await server.login()
  const task = inference({ taskUUID: 'AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE' })
  client.send(task)
  await client.results(task.taskUUID, 1)
  const lower = task.taskUUID.toLowerCase()
  client.send(inference({ taskUUID: lower }))
  t.match((await client.next()).errors?.[0], { code: 'conflictTaskUUID', taskUUID: lower })
  await client.close()
})

t.test('F09 F10 every spelling of a ping gets a pong alone in its frame', async t => {
  const client = await server.login()
  for (const ping of [{ taskType: 'ping', ping: true }, { taskType: 'ping' }, { taskType: 'ping', taskUUID: 'u' }, { ping: true }, { taskType: 'ping', ping: 'yes' }]) {
    client.send(ping)
    t.same(await client.next(), { data: [{ taskType: 'ping', pong: true }] })
  }
  client.send({ taskType: 'ping' }, { taskType: 'ping' })
  t.same([await client.next(), await client.next()], [{ data: [{ taskType: 'ping', pong: true }] }, { data: [{ taskType: 'ping', pong: true }] }])
  await client.close()
})

t.test('F12 what is no array of tasks is an error while nobody waits, and never ends other work', async t => {
  const neighbour = await server.login()
  for (const text of ['{', '\ufeff[]', '[{}]x', 'null', '{}', '7', '"x"', '[]', '[null]', '[7]', '[[]]', '[{}]', '']) {
    const client = await server.login()
    client.socket.send(text)
    const { errors } = await client.next()
    t.equal(errors?.length, 1, text)
    t.equal(errors?.[0]?.['taskUUID'], undefined, text)
    t.same(await client.settle(), [], text)
    await client.close()
  }
  t.same(await neighbour.settle(), [])
  await neighbour.close()
})

t.test('F13 an unknown taskType is refused under its taskUUID', async t => {
  const client = await server.login()
  for (const taskType of ['videoInference', '3dInference', 'nonsense', '__proto__', 'constructor', 'toString']) {
    client.send({ taskType, taskUUID: `u-${taskType}` })
    t.match((await client.next()).errors?.[0], { code: 'unsupportedTaskType', taskUUID: `u-${taskType}`, taskType })
  }
  await client.close()
})

t.test('F14 a frame of 32 MiB is read', async t => {
  const client = await server.login()
  const task = inference({ seedImage: '' })
  const empty = JSON.stringify([task])
  const text = empty.replace('"seedImage":""', `"seedImage":"${'A'.repeat(32 * 2 ** 20 - empty.length)}"`)
  t.equal(text.length, 32 * 2 ** 20)
  client.socket.send(text)
  t.match((await client.next()).errors?.[0], { code: 'invalidSeedImage', parameter: 'seedImage', message: /at most 1048576 bytes/, taskUUID: task.taskUUID })
  await client.close()
})

t.test('F15 each inline picture has a frame of its own', async t => {
  const client = await server.login()
  for (const outputType of ['base64Data', 'dataURI']) {
    const task = inference({ outputType, numberResults: 3 })
    client.send(task)
    for (let count = 0; count < 3; count++) {
      const { data } = await client.waitForFrame(isAbout(task.taskUUID))
      t.equal(data?.length, 1)
    }
  }
  await client.close()
})
