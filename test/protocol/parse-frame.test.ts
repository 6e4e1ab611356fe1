import fc from 'fast-check'
import t from 'tap'
import { type ParsedElement, isErrorCode, parseFrame } from '../../protocol/index.ts'

const options = { maxTasksPerFrame: 100 }
const minimal = { taskType: 'imageInference', taskUUID: 'a-task', positivePrompt: 'a cat', model: 'local:sd@1' }

function one(element: unknown, strictParameters = false): ParsedElement {
  const [first] = parseFrame(JSON.stringify([element]), { ...options, strictParameters })
  if (!first) throw new Error('no element')
  return first
}

function errorOf(extra: object, strictParameters = false) {
  const parsed = one({ ...minimal, ...extra }, strictParameters)
  if (parsed.type !== 'error') throw new Error(`accepted ${JSON.stringify(extra)}`)
  return parsed.error
}

function requestOf(extra: object, strictParameters = false) {
  const parsed = one({ ...minimal, ...extra }, strictParameters)
  if (parsed.type !== 'task' || parsed.task.type !== 'imageInference') throw new Error(`refused: ${JSON.stringify(parsed)}`)
  return parsed.task.request
}

t.test('a task with required parameters alone gets its defaults', async t => {
  t.same(requestOf({}), {
    ...minimal, outputType: ['URL'], outputFormat: 'JPG', outputQuality: 95, numberResults: 1, includeCost: false, deliveryMethod: 'sync', clipSkip: 0, checkNSFW: false,
  })
})

t.test('null is absence, for optional and for unsupported parameters', async t => {
  t.same(requestOf({ seed: null, width: null, controlNet: null, numberResults: null }), requestOf({}))
  t.equal(errorOf({ positivePrompt: null }).code, 'missingPositivePrompt')
})

t.test('the output type may be one value or a list, and its format in any case', async t => {
  t.same(requestOf({ outputType: 'dataURI' }).outputType, ['dataURI'])
  t.same(requestOf({ outputType: ['URL', 'base64Data', 'URL'] }).outputType, ['URL', 'base64Data'])
  t.equal(requestOf({ outputFormat: 'webp' }).outputFormat, 'WEBP')
  t.match(errorOf({ outputType: ['URL', 'file'] }), { code: 'invalidOutputType', parameter: 'outputType', allowedValues: ['URL', 'base64Data', 'dataURI'] })
  t.equal(errorOf({ outputType: [] }).code, 'invalidOutputType')
  t.equal(errorOf({ outputFormat: 'GIF' }).code, 'invalidOutputFormat')
})

t.test('whole numbers may be written as floats', async t => {
  const [parsed] = parseFrame(`[{"taskType":"imageInference","taskUUID":"u","positivePrompt":"ab","model":"a:b@c","CFGScale":1.0,"steps":4.0,"width":5.12e2}]`, options)
  t.match(parsed, { type: 'task', task: { request: { CFGScale: 1, steps: 4, width: 512 } } })
})

t.test('a value out of range names its parameter and bounds', async t => {
  const cases: readonly [object, object][] = [
    [{ steps: 0 }, { code: 'invalidSteps', parameter: 'steps', min: 1, max: 100, type: 'integer' }],
    [{ steps: 2.5 }, { code: 'invalidSteps' }],
    [{ steps: '4' }, { code: 'invalidSteps' }],
    [{ width: 100 }, { code: 'invalidWidth', parameter: 'width', min: 128, max: 2048 }],
    [{ width: 2112 }, { code: 'invalidWidth' }],
    [{ height: -64 }, { code: 'invalidHeight', parameter: 'height' }],
    [{ CFGScale: 31 }, { code: 'invalidCFGScale', parameter: 'CFGScale' }],
    [{ clipSkip: 3 }, { code: 'invalidClipSkip', default: 0 }],
    [{ numberResults: 21 }, { code: 'invalidNumberResults', min: 1, max: 20, default: 1 }],
    [{ seed: 0 }, { code: 'invalidSeed' }],
    [{ outputQuality: 100 }, { code: 'invalidOutputQuality', min: 20, max: 99 }],
    [{ ttl: 59 }, { code: 'invalidTtl', min: 60 }],
    [{ includeCost: 'yes' }, { code: 'invalidIncludeCost' }],
    [{ deliveryMethod: 'stream' }, { code: 'invalidDeliveryMethod', allowedValues: ['sync', 'async'] }],
    [{ positivePrompt: 'a' }, { code: 'invalidPositivePromptLength', min: 2, max: 3000 }],
    [{ positivePrompt: 'x'.repeat(3001) }, { code: 'invalidPositivePromptLength' }],
    [{ negativePrompt: 'a' }, { code: 'invalidNegativePromptLength' }],
    [{ model: '../../etc/passwd' }, { code: 'invalidModel', parameter: 'model' }],
    [{ model: 'a:b@c/../..' }, { code: 'invalidModel' }],
  ]
  for (const [extra, expected] of cases) {
    const error = errorOf(extra)
    t.match(error, { ...expected, taskUUID: 'a-task', taskType: 'imageInference' }, JSON.stringify(extra).slice(0, 60))
    t.ok(error.message.length > 10 && !error.message.includes('something else'))
  }
})

t.test('lengths count code points, and an empty negative prompt is none', async t => {
  t.equal(requestOf({ positivePrompt: '🐈'.repeat(3000) }).positivePrompt.length, 6000)
  t.equal(errorOf({ positivePrompt: '🐈' }).code, 'invalidPositivePromptLength')
  t.equal(requestOf({ negativePrompt: '' }).negativePrompt, undefined)
  t.equal(requestOf({ positivePrompt: '__BLANK__' }).positivePrompt, '__BLANK__')
})

t.test('a known parameter without a function is refused by name unless it asks for nothing', async t => {
  const asking: readonly [object, string][] = [
    [{ lycoris: [{ model: 'a:b@c' }] }, 'lycoris'],
    [{ safety: { checkContent: true, mode: 'fast' } }, 'safety.mode'], [{ inputs: { seedImage: 'u', images: ['u'] } }, 'inputs.images'],
    [{ webhookURL: 'http://x' }, 'webhookURL'], [{ hiresFix: true }, 'hiresFix'], [{ acceleratorOptions: { teaCache: true } }, 'acceleratorOptions.teaCache'],
    [{ lycoris: [{ model: 'c:d@1', weight: null }] }, 'lycoris'],
  ]
  for (const [extra, parameter] of asking) t.match(errorOf(extra), { code: 'unsupportedParameter', parameter, taskUUID: 'a-task' })
  const empty = { seedImage: null, lycoris: [], checkNSFW: false, safety: { checkContent: false }, inputs: { images: [] }, promptWeighting: '', controlNet: [{ model: null }] }
  t.same(requestOf(empty), { ...requestOf({}), inputs: {}, safety: { checkContent: false } })
})

t.test('an unknown parameter is ignored, or refused where the server is strict', async t => {
  const unknown = { guidance: 3, expectedResults: 1, usePromptWeighting: true, providerSettings: { a: 1 }, settings: {} }
  t.same(requestOf(unknown), requestOf({}))
  t.match(errorOf(unknown, true), { code: 'unknownParameter', parameter: 'guidance' })
  t.same(requestOf({ lycoris: [], guidance: null }, true), requestOf({}))
})

t.test('a taskUUID is echoed as it came, whatever it is', async t => {
  for (const taskUUID of ['not-a-uuid', 'AAAA-ÄÖ', '0128E960-CBFC-4CE6-9B46-FD465B5B5950', '\ud800', 'x'.repeat(300)]) {
    t.equal(errorOf({ taskUUID, steps: 0, positivePrompt: 'a' }).taskUUID, taskUUID)
  }
  t.equal(errorOf({ taskUUID: undefined }).code, 'missingTaskUUID')
  for (const taskUUID of ['', 7, {}, ['u']]) {
    const error = errorOf({ taskUUID })
    t.match(error.code, /^invalidTaskUUID/)
    t.notOk('taskUUID' in error)
  }
})

t.test('task types: spelled, unknown, known and unsupported, missing', async t => {
  t.match(one({ taskType: 'vectorize', taskUUID: 'u' }), { error: { code: 'unsupportedTaskType', parameter: 'taskType', taskUUID: 'u', taskType: 'vectorize' } })
  t.match(one({ taskType: 'constructor', taskUUID: 'u' }), { error: { code: 'unsupportedTaskType' } })
  t.match(one({ taskUUID: 'u' }), { error: { code: 'missingTaskType', taskUUID: 'u' } })
  t.match(one({ taskType: 5, taskUUID: 'u' }), { error: { code: 'invalidTaskType', taskUUID: 'u' } })
  t.match(one({ taskType: 'getResponse', taskUUID: 'u' }), { task: { type: 'getResponse', request: { taskUUID: 'u' } } })
  t.match(one({ taskType: 'getResponse' }), { error: { code: 'missingTaskUUID', taskType: 'getResponse' } })
})

t.test('every form of ping is a ping', async t => {
  for (const ping of [{ taskType: 'ping', ping: true }, { taskType: 'ping' }, { taskType: 'ping', taskUUID: 'u' }, { ping: true }, { taskType: 'ping', ping: 'yes' }]) {
    t.match(one(ping), { type: 'task', task: { type: 'ping', taskType: 'ping' } })
  }
})

t.test('authentication: a malformed session is none, a malformed key is a wrong one and never shown', async t => {
  for (const connectionSessionUUID of [['a'], 5, '', 'x'.repeat(1e6)]) {
    t.same(one({ apiKey: 'key', taskType: 'authentication', connectionSessionUUID }), { type: 'task', task: { type: 'authentication', taskType: 'authentication', request: { taskType: 'authentication', apiKey: 'key' } } })
  }
  t.match(one({ taskType: 'authentication' }), { error: { code: 'missingApiKey', parameter: 'apiKey', taskType: 'authentication' } })
  t.match(one({ taskType: 'authentication', apiKey: 17171717 }), { error: { code: 'invalidApiKey', message: /invalid api key/i } })
  t.notMatch(JSON.stringify(one({ taskType: 'authentication', apiKey: 17171717 })), '17171717')
})

t.test('one bad element does not touch the others', async t => {
  const kinds = parseFrame(JSON.stringify([minimal, 7, null, [], { ...minimal, steps: 0 }, { ping: true }]), options).map(({ type }) => type)
  t.same(kinds, ['task', 'error', 'error', 'error', 'error', 'task'])
})

t.test('a text that is no frame gives one error without a taskUUID', async t => {
  const texts: readonly [string, string][] = [
    ['', 'invalidJSON'], ['[', 'invalidJSON'], ['[{}]x', 'invalidJSON'], ['\ufeff[]', 'invalidJSON'], ['[NaN]', 'invalidJSON'], ['{}', 'invalidRequest'],
    ['[]', 'invalidRequest'], ['null', 'invalidRequest'], ['"x"', 'invalidRequest'], ['['.repeat(1e6), 'invalidRequest'],
    [`[${'{},'.repeat(2e5)}{}]`, 'invalidRequest'], [`[${'{},'.repeat(2000)}{}]`, 'maxTasksExceeded'],
  ]
  for (const [text, code] of texts) {
    const elements = parseFrame(text, options)
    t.match(elements, [{ type: 'error', error: { code } }], text.slice(0, 20))
    t.equal(elements.length, 1)
    t.notOk('taskUUID' in (elements[0]?.type === 'error' ? elements[0].error : {}))
  }
})

t.test('the elements beyond the most of one frame are refused one by one', async t => {
  const elements = parseFrame(JSON.stringify([1, 2, 3, 4].map(n => ({ ...minimal, taskUUID: `t${n}` }))), { maxTasksPerFrame: 2 })
  t.same(elements.map(({ type }) => type), ['task', 'task', 'error', 'error'])
  t.match(elements[3], { error: { code: 'maxTasksExceeded', taskUUID: 't4', taskType: 'imageInference' } })
})

t.test('names that reach a prototype refuse their element alone', async t => {
  for (const bad of ['{"__proto__":{"a":1},"taskUUID":"u"}', '{"\\u005f_proto__":1,"taskUUID":"u"}', '{"lora":[{"constructor":{"prototype":{}}}],"taskUUID":"u"}']) {
    t.match(parseFrame(`[${bad},{"ping":true}]`, options), [{ error: { code: 'invalidParameter', taskUUID: 'u' } }, { type: 'task' }])
  }
  t.equal(({} as { a?: unknown }).a, undefined)
})

t.test('numbers that no double holds are refused', async t => {
  const text = JSON.stringify([{ ...minimal, CFGScale: 0 }])
  for (const number of ['1e999', '-1e999', '1'.repeat(5000)]) {
    t.match(parseFrame(text.replace('"CFGScale":0', `"CFGScale":${number}`), options), [{ error: { code: 'invalidCFGScale', taskUUID: 'a-task' } }])
  }
})

t.test('a nested list as deep as 32 is read, one deeper is not', async t => {
  const nested = (depth: number) => `[{"taskType":"ping","x":${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}}]`
  t.equal(parseFrame(nested(32), options)[0]?.type, 'task')
  t.equal(parseFrame(nested(33), options)[0]?.type, 'error')
  t.equal(parseFrame('[{"taskType":"ping","x":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\"[[[\\\\"}]', options)[0]?.type, 'task', 'brackets in texts do not count')
})

t.test('whatever the text, parsing never throws and every error is of the registry', async () => {
  const isSound = (elements: readonly ParsedElement[]) => elements.length > 0 && elements.every(element =>
    element.type === 'task' || (isErrorCode(element.error.code) && element.error.message !== '' && element.error.taskUUID !== ''))
  const piece = fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '\\', '"taskType"', '"imageInference"', '"taskUUID"', '1e999', '-0', 'null', '\u0000', '\ud800', '"__proto__"')
  fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), pieces => isSound(parseFrame(pieces.join(''), options))), { numRuns: 3000 })
  fc.assert(fc.property(fc.json(), text => isSound(parseFrame(text, options))), { numRuns: 1000 })
  const names = ['taskType', 'taskUUID', 'positivePrompt', 'model', 'width', 'steps', 'outputType', 'inputs', 'apiKey', 'ping', 'constructor', 'connectionSessionUUID', 'toString']
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('imageInference', 'getResponse', 'authentication', 'ping', 'a:b@c', 'ab', 512))
  const element = fc.dictionary(fc.constantFrom(...names), value)
  fc.assert(fc.property(fc.array(element, { minLength: 1, maxLength: 5 }), fc.boolean(), (elements, strictParameters) =>
    isSound(parseFrame(JSON.stringify(elements), { ...options, strictParameters }))), { numRuns: 3000 })
})

t.test('every text taskUUID of a sane length comes back with the error of its element', async () => {
  fc.assert(fc.property(fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }), taskUUID => {
    const [parsed] = parseFrame(JSON.stringify([{ ...minimal, taskUUID, steps: -1 }]), options)
    return parsed?.type === 'error' && parsed.error.taskUUID === taskUUID
  }), { numRuns: 500 })
})
