import t from 'tap'
import { createError, encodeAuthenticationReply, encodeData, encodeErrors, encodePong, httpStatusOf, isRetryable, parseAir } from '../../protocol/index.ts'

t.test('success frames hold data and no error key', async t => {
  t.same(JSON.parse(encodePong()), { data: [{ taskType: 'ping', pong: true }] })
  t.same(JSON.parse(encodeAuthenticationReply('s')), { data: [{ taskType: 'authentication', connectionSessionUUID: 's' }] })
  t.same(JSON.parse(encodeData([{ a: 1 }])), { data: [{ a: 1 }] })
})

t.test('error frames hold errors and no data key; bodies repeat the first', async t => {
  const error = createError('taskNotFound', { value: 'u', taskUUID: 'u' })
  t.same(JSON.parse(encodeErrors([error])), { errors: [error] })
  t.same(JSON.parse(encodeErrors([error], { withSingular: true })), { errors: [error], error })
})

t.test('a message takes its words from the details, which may replace it', async t => {
  t.equal(createError('taskNotFound', { value: 'u' }).message, 'There is no task u.')
  t.equal(createError('taskNotFound', { message: 'Gone.' }).message, 'Gone.')
  t.match(createError('invalidApiKey').message, /invalid api key/i)
})

t.test('codes have statuses, and those that can pass later say so', async t => {
  t.equal(httpStatusOf('invalidApiKey'), 401)
  t.equal(httpStatusOf('taskNotFound'), 404)
  t.equal(httpStatusOf('invalidSteps'), 400)
  t.ok(isRetryable('rateLimitExceeded') && isRetryable('serviceUnavailable'))
  t.notOk(isRetryable('invalidSteps'))
})

t.test('an AIR has a source, an id and a version of harmless characters', async t => {
  t.same(parseAir('civitai:102438@133677'), { source: 'civitai', id: '102438', version: '133677' })
  for (const text of ['', 'a', 'a:b', 'a:b@', 'a:b@c/d', '../a:b@c', 'a:b@c\n', `a:${'b'.repeat(300)}@c`]) t.equal(parseAir(text), undefined)
})
