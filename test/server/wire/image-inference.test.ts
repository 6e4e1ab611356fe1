import t from 'tap'
import { onePixelPng } from '../helpers/fake-worker.ts'
import { inference, isAbout, startTestGateway } from '../helpers/started-gateway.ts'
import type { Item } from '../../helpers/wire-client.ts'

const server = await startTestGateway()
t.teardown(() => server.stop())
const client = await server.login()

/** Sends a task and returns its results. */
async function results(choices: Readonly<Record<string, unknown>>, count = 1): Promise<readonly Item[]> {
  const task = inference(choices)
  client.send(task)
  return client.results(task.taskUUID, count)
}

/** Sends a task that is refused and returns its error. */
async function refusal(choices: Readonly<Record<string, unknown>>): Promise<Item> {
  const task = inference(choices)
  client.send(task)
  const { errors } = await client.waitForFrame(isAbout(task.taskUUID))
  const error = errors?.[0] ?? {}
  t.match(error, { taskUUID: task.taskUUID, taskType: 'imageInference', code: String, message: String })
  return error
}

const imageFields = ['imageURL', 'imageBase64Data', 'imageDataURI']

function fieldsOf(item: Item | undefined): readonly string[] {
  return imageFields.filter(field => item?.[field] !== undefined)
}

t.test('I01 I02 there are exactly as many items as asked for, one by default, each with its own imageUUID', async t => {
  for (const [numberResults, expected] of [[2, 2], [20, 20], [undefined, 1]] as const) {
    const items = await results({ ...(numberResults && { numberResults }) }, expected)
    t.equal(items.length, expected)
    t.equal(new Set(items.map(item => item['imageUUID'])).size, expected)
    t.same(await client.settle(), [])
  }
  const twins = [await results({ seed: 5 }), await results({ seed: 5 })]
  t.not(twins[0]?.[0]?.['imageUUID'], twins[1]?.[0]?.['imageUUID'], 'two tasks of the same picture have two imageUUIDs')
})

t.test('I03 I04 I05 two results carry every field that the clients count by', async t => {
  for (const deliveryMethod of [undefined, 'sync']) {
    const items = await results({ numberResults: 2, ...(deliveryMethod && { deliveryMethod }) }, 2)
    for (const item of items) {
      t.match(item, { taskType: 'imageInference', imageUUID: String, imageURL: String, seed: Number, status: 'success' })
    }
  }
})

t.test('I06 nothing is said of a sync task before its pictures', async t => {
  server.worker.hold()
  const task = inference()
  client.send(task)
  t.same(await client.settle(), [])
  server.worker.unhold()
  t.equal((await client.results(task.taskUUID, 1))[0]?.['status'], 'success')
})

t.test('I07 seeds are s, s + 1, … and always exact numbers', async t => {
  t.same((await results({ seed: 7, numberResults: 3 }, 3)).map(item => item['seed']), [7, 8, 9])
  for (const seed of [undefined, Number.MAX_SAFE_INTEGER, 2 ** 60, 9223372036854775000]) {
    for (const item of await results({ numberResults: 2, ...(seed && { seed }) }, 2)) {
      t.ok(Number.isSafeInteger(item['seed']), String(item['seed']))
      t.ok(Number(item['seed']) >= 0)
    }
  }
  // A seed above 2^53 keeps its low 32 bits, so the picture is that of the seed that was asked for.
  const [large] = await results({ seed: 2 ** 60 + 2 ** 20 })
  t.equal(Number(large?.['seed']) % 2 ** 32, 2 ** 20)
})

t.test('I08 each outputType fills its own field alone; the default is the URL', async t => {
  t.same(fieldsOf((await results({}))[0]), ['imageURL'])
  t.same(fieldsOf((await results({ outputType: 'URL' }))[0]), ['imageURL'])
  const [base64] = await results({ outputType: 'base64Data' })
  t.same(fieldsOf(base64), ['imageBase64Data'])
  t.equal(base64?.['imageBase64Data'], onePixelPng.toString('base64'))
  const [uri] = await results({ outputType: 'dataURI', outputFormat: 'WEBP' })
  t.same(fieldsOf(uri), ['imageDataURI'])
  t.equal(uri?.['imageDataURI'], `data:image/webp;base64,${onePixelPng.toString('base64')}`)
})

t.test('I09 a list of outputTypes fills all of their fields', async t => {
  t.same(fieldsOf((await results({ outputType: ['base64Data', 'URL'] }))[0]), ['imageURL', 'imageBase64Data'])
  t.same(fieldsOf((await results({ outputType: ['dataURI', 'base64Data', 'URL', 'URL'] }))[0]), imageFields)
})

t.test('I10 an imageURL can be fetched without a key by the host that the client called', async t => {
  for (const [outputFormat, extension, type] of [['PNG', 'png', 'image/png'], ['JPG', 'jpg', 'image/jpeg'], ['WEBP', 'webp', 'image/webp']] as const) {
    const [item] = await results({ outputFormat })
    const url = String(item?.['imageURL'])
    t.equal(url, `${server.httpUrl}/images/${String(item?.['imageUUID'])}.${extension}`)
    const response = await fetch(url)
    t.equal(response.status, 200)
    t.equal(response.headers.get('content-type'), type)
    t.equal(response.headers.get('x-content-type-options'), 'nosniff')
    t.same(Buffer.from(await response.arrayBuffer()), onePixelPng)
  }
})

t.test('I11 the cost is there when it was asked for', async t => {
  t.equal((await results({ includeCost: true, width: 512, height: 512, steps: 10 }))[0]?.['cost'], 0.00126214)
  t.notOk('cost' in ((await results({ includeCost: false }))[0] ?? {}))
  t.notOk('cost' in ((await results({}))[0] ?? {}))
})

t.test('I12 NSFWContent is there if and only if the check was asked for, in either spelling', async t => {
  const model = 'local:checked@1'
  for (const check of [{ checkNSFW: true }, { safety: { checkContent: true } }]) {
    t.equal((await results({ model, ...check }))[0]?.['NSFWContent'], false)
    t.equal((await results({ model, ...check, positivePrompt: 'something sensitive' }))[0]?.['NSFWContent'], true)
  }
  const [item] = await results({ model, checkNSFW: true, positivePrompt: 'sensitive' })
  client.send({ taskType: 'getResponse', taskUUID: item?.['taskUUID'] })
  t.same((await client.waitForFrame(isAbout(String(item?.['taskUUID'])))).data, [item], 'and in what getResponse answers')
})

t.test('I12 a check that nothing can do is refused by name, and one that asks for nothing is not', async t => {
  const message = /cannot be used: this server has no safety checker for the model local:test@1/
  t.match(await refusal({ checkNSFW: true }), { code: 'invalidParameter', parameter: 'checkNSFW', message })
  t.match(await refusal({ safety: { checkContent: true } }), { code: 'invalidParameter', parameter: 'safety.checkContent', message })
  t.match(await refusal({ checkNSFW: 'yes' }), { code: 'invalidCheckNSFW', parameter: 'checkNSFW' })
  t.match(await refusal({ safety: { checkContent: 1 } }), { code: 'invalidSafety', parameter: 'safety.checkContent' })
  const [item] = await results({ checkNSFW: false, safety: { checkContent: false } })
  t.notOk('NSFWContent' in (item ?? {}))
})

t.test('I13 the outputFormat is taken in any case', async t => {
  for (const [outputFormat, extension] of [['jpg', 'jpg'], ['JPG', 'jpg'], ['Png', 'png'], ['webp', 'webp'], [undefined, 'jpg']] as const) {
    t.match((await results({ ...(outputFormat && { outputFormat }) }))[0]?.['imageURL'], new RegExp(`\\.${extension}$`))
  }
})

t.test('I16 null is the same as absence', async t => {
  const nothing = ['negativePrompt', 'steps', 'scheduler', 'seed', 'CFGScale', 'clipSkip', 'numberResults', 'outputType', 'outputFormat', 'outputQuality', 'deliveryMethod', 'ttl', 'includeCost', 'controlNet', 'lora', 'vae', 'seedImage', 'checkNSFW']
  const items = await results(Object.fromEntries(nothing.map(name => [name, null])))
  t.same(fieldsOf(items[0]), ['imageURL'])
  t.equal((await results({ lora: [], controlNet: [{ model: null }], embeddings: [], ipAdapters: [], refiner: null })).length, 1)
})

t.test('I18 sync and absent behave the same', async t => {
  const shapes = [await results({ seed: 1 }), await results({ seed: 1, deliveryMethod: 'sync' })].map(items => Object.keys(items[0] ?? {}))
  t.same(shapes[0], shapes[1])
})

t.test('I19 keys that nobody knows do not fail a task', async t => {
  t.equal((await results({ guidance: 3, expectedResults: 1, usePromptWeighting: true, providerSettings: { x: 1 }, settings: { y: 2 } })).length, 1)
})

t.test('I19 strict parameters refuse them by name', async t => {
  const strict = await startTestGateway({ strictParameters: true })
  t.teardown(() => strict.stop())
  const other = await strict.login()
  const task = inference({ guidance: 3 })
  other.send(task)
  t.match((await other.next()).errors?.[0], { code: 'unknownParameter', parameter: 'guidance', taskUUID: task.taskUUID })
})

t.test('I20 numbers may come as floats, and values out of range are refused by name', async t => {
  client.socket.send(JSON.stringify([inference({ taskUUID: 'floats', CFGScale: 7.5, steps: 4 })]).replace('"steps":4', '"steps":4.0').replace('"width":128', '"width":1.28e2'))
  t.equal((await client.results('floats', 1)).length, 1)
  t.equal((await results({ strength: 0, clipSkip: 0, CFGScale: 0 })).length, 1)
  for (const [parameter, value, min, max] of [['steps', 0, 1, 100], ['steps', 101, 1, 100], ['clipSkip', 3, 0, 2], ['numberResults', 21, 1, 20], ['numberResults', 0, 1, 20], ['outputQuality', 10, 20, 99], ['width', 64, 128, 2048], ['height', 1e9, 128, 2048], ['CFGScale', 31, 0, 30], ['seed', 0, 1, 9223372036854775807]] as const) {
    t.match(await refusal({ [parameter]: value }), { parameter, ...(value < min ? { min } : { max }) }, `${parameter} ${value}`)
  }
  for (const value of [130, 512.5, '512', -64, true, [], {}]) t.match(await refusal({ width: value }), { parameter: 'width' })
})

t.test('I21 a refusal names what is wrong and what would be right', async t => {
  const nameless = inference()
  client.send({ ...nameless, positivePrompt: undefined })
  t.match((await client.next()).errors?.[0], { code: 'missingPositivePrompt', parameter: 'positivePrompt', taskUUID: nameless.taskUUID })
  const unknown = await refusal({ model: 'local:none@9' })
  t.match(unknown, { code: 'modelNotFound', parameter: 'model' })
  t.same(unknown['allowedValues'], ['local:test@1', 'local:sized@1', 'local:xl@1', 'local:refiner@1', 'local:xl-inpaint@1', 'local:checked@1'])
  t.match(await refusal({ model: 'local:broken@1' }), { code: 'modelUnavailable', parameter: 'model', message: /its UNet has no weights/ })
  t.match(await refusal({ model: 'local:lora@1' }), { code: 'invalidModel', parameter: 'model', message: /checkpoint/ })
  t.match(await refusal({ model: '../../etc/passwd' }), { parameter: 'model' })
  const scheduler = await refusal({ scheduler: 'Nonsense' })
  t.match(scheduler, { code: 'invalidScheduler', parameter: 'scheduler' })
  t.ok((scheduler['allowedValues'] as readonly string[]).includes('Euler'))
  t.match(await refusal({ width: undefined }), { code: 'missingWidth', parameter: 'width' })
  t.match(await refusal({ positivePrompt: 'x' }), { parameter: 'positivePrompt', min: 2 })
  t.match(await refusal({ outputType: 'png' }), { parameter: 'outputType', allowedValues: ['URL', 'base64Data', 'dataURI'] })
})

t.test('I21 a task larger than the server allows is refused with the number that would fit', async t => {
  const small = await startTestGateway({ limits: { maxPixelSteps: 128 * 128 * 20 * 3 } })
  t.teardown(() => small.stop())
  const other = await small.login()
  other.send(inference({ numberResults: 4 }))
  t.match((await other.next()).errors?.[0], { code: 'maxTaskCostExceeded', parameter: 'numberResults', max: 3 })
})

t.test('a model\'s defaults are used where the task says nothing, then those of the published API', async t => {
  client.send({ taskType: 'imageInference', taskUUID: 'defaults', positivePrompt: '__BLANK__', model: 'LOCAL:Sized@1' })
  await client.results('defaults', 1)
  t.match(server.worker.claimed.at(-1)?.request, {
    model: 'local:sized@1', prompt: '', negativePrompt: '', width: 256, height: 192, totalSteps: 4, guidanceScale: 3, noiseScheduler: 'Euler', clipSkip: 0,
  })
  await results({})
  t.match(server.worker.claimed.at(-1)?.request, { totalSteps: 20, guidanceScale: 7, noiseScheduler: 'Default' })
  t.match(server.worker.claimed.at(-1)?.output, { types: ['URL'], format: 'JPG', quality: 95 })
})

t.test('I22 pictures that were done before a failure come first, then one error', async t => {
  const task = inference({ positivePrompt: 'failAfter1', numberResults: 3 })
  client.send(task)
  t.equal((await client.next()).data?.[0]?.['taskUUID'], task.taskUUID)
  const { errors } = await client.next()
  t.equal(errors?.length, 1)
  t.match(errors?.[0], { code: 'inferenceError', taskUUID: task.taskUUID })
  t.same(await client.settle(), [])
})

t.test('I23 a hundred parallel tasks of one socket all get their own', async t => {
  const tasks = Array.from({ length: 100 }, (_, index) => inference({ seed: index + 1, numberResults: 1 + index % 3 }))
  for (const task of tasks) client.send(task)
  const expected = tasks.reduce((sum, task) => sum + Number(task['numberResults']), 0)
  const items: Item[] = []
  while (items.length < expected) items.push(...(await client.next()).data ?? [])
  for (const task of tasks) {
    const own = items.filter(item => item['taskUUID'] === task.taskUUID).map(item => item['seed'])
    t.same(own, Array.from({ length: Number(task['numberResults']) }, (_, k) => Number(task['seed']) + k))
  }
})

t.test('I24 a task whose client has given up is still answered by getResponse', async t => {
  const { login, worker, clock, stop } = await startTestGateway()
  t.teardown(stop)
  const patient = await login()
  worker.hold()
  const task = inference()
  patient.send(task)
  await patient.settle()
  for (let seconds = 0; seconds < 61; seconds += 10) {
    clock.advance(10_000)
    await patient.roundTrip()
  }
  patient.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  t.equal((await patient.next()).data?.[0]?.['status'], 'processing')
  worker.unhold()
  await patient.results(task.taskUUID, 1)
  patient.send({ taskType: 'getResponse', taskUUID: task.taskUUID })
  t.equal((await patient.next()).data?.[0]?.['status'], 'success')
})

t.test('uploadEndpoint goes to the worker as it is, and a result says why its picture was not taken there', async t => {
  const uploadEndpoint = 'https://bucket.example/picture.png?X-Signature=ab%2Fc'
  const [taken] = await results({ uploadEndpoint })
  t.equal(server.worker.claimed.at(-1)?.output.uploadUrl, uploadEndpoint)
  t.notOk('uploadError' in (taken ?? {}))
  const [refused] = await results({ uploadEndpoint, positivePrompt: 'refuseUpload' })
  t.match(refused, { status: 'success', imageURL: String, uploadError: { code: 'uploadFailed', parameter: 'uploadEndpoint', message: /status 403/ } })
})

t.test('an uploadEndpoint that can be called by nobody is refused before anything is computed', async t => {
  const claimed = server.worker.claimed.length
  for (const [uploadEndpoint, message] of [
    ['bucket', /no URL/], ['ftp://bucket.example/x', /http/], ['https://name:secret@bucket.example/', /password/], ['http://bucket.example:22/', /port/], [7, /must be/],
  ] as const) {
    t.match(await refusal({ uploadEndpoint }), { code: 'invalidUploadEndpoint', parameter: 'uploadEndpoint', message }, String(uploadEndpoint))
  }
  t.equal(server.worker.claimed.length, claimed)
  t.equal((await results({ uploadEndpoint: '' })).length, 1, 'an empty one asks for nothing')
})
