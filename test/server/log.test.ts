import t from 'tap'
import { createLog, silentLog } from '../../server/log.ts'
import type { LogLevel } from '../../server/log.ts'

function capture(level: LogLevel = 'debug') {
  const lines: string[] = []
  const log = createLog({ level, destination: { write: line => { lines.push(line) } } })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown> }
}

t.test('an event is one JSON line with its name, level, time and facts', async t => {
  const { log, lines, last } = capture()
  log.info('taskEnded', { taskUUID: 'u', durationMs: 12 })
  t.equal(lines.length, 1)
  t.match(last(), { level: 'info', event: 'taskEnded', taskUUID: 'u', durationMs: 12, time: /^\d{4}-.*Z$/ })
})

t.test('keys and prompts are not written, at any depth and in any spelling', async t => {
  const { log, lines } = capture()
  const secret = 'rw_verysecret'
  log.warn('x', { apiKey: secret, request: { prompt: secret, tasks: [{ positivePrompt: secret, negativePrompt: secret, APIKEY: secret }] } })
  log.with({ apiKey: secret }).error('y', { headers: { authorization: secret } })
  t.equal(lines.length, 2)
  t.notMatch(lines.join(''), secret)
  t.match(lines.join(''), '[redacted]')
})

t.test('errors are written with their causes', async t => {
  const { log, last } = capture()
  log.error('workerFailed', { error: new TypeError('outer', { cause: new Error('inner') }) })
  t.match(last(), { error: { type: 'TypeError', message: 'outer', cause: { message: 'inner' } } })
})

t.test('control characters of a client do not reach a terminal, and bytes are counted, not written', async t => {
  const { log, lines } = capture()
  log.info('x', { model: 'a\u001b[31m\u009bb', bytes: new Uint8Array(5000) })
  t.notMatch(lines[0], /[\u001b\u009b]|\\u001b/)
  t.match(lines[0], '[5000 bytes]')
})

t.test('a cycle ends', async t => {
  const { log, lines } = capture()
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  log.info('x', { cyclic })
  t.match(lines[0], '[deep]')
})

t.test('levels below the chosen one are not written', async t => {
  const { log, lines } = capture('warn')
  log.info('quiet')
  log.debug('quiet')
  silentLog.with({ a: 1 }).error('quiet')
  t.strictSame(lines, [])
})
