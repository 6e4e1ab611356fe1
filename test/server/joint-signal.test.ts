import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { joinSignals, TimeLimitError } from '../../server/joint-signal.ts'
import { createImageFetcher } from '../../server/outbound/fetch-image.ts'

t.test('a joint signal aborts with the first of its sources, for that one\'s reason', t => {
  const [first, second] = [new AbortController(), new AbortController()]
  const { signal } = joinSignals([first.signal, second.signal])
  t.equal(signal.aborted, false)
  const reason = new Error('the second')
  second.abort(reason)
  first.abort(new Error('the first'))
  t.equal(signal.reason, reason)
  t.equal(joinSignals([first.signal]).signal.reason, first.signal.reason, 'a source that has aborted already counts')
  t.end()
})

t.test('it aborts when its time is over, and a source is left as it was', async t => {
  const source = new AbortController()
  const { signal, leave } = joinSignals([source.signal], 1)
  const aborted = new Promise(resolve => signal.addEventListener('abort', resolve))
  // The limit keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  await aborted
  clearInterval(alive)
  t.type(signal.reason, TimeLimitError)
  t.equal(getEventListeners(source.signal, 'abort').length, 1)
  leave()
  t.equal(getEventListeners(source.signal, 'abort').length, 0)
  const late = joinSignals([source.signal])
  late.leave()
  source.abort()
  t.equal(late.signal.aborted, false)
})

t.test('fetches for a client that stays leave nothing behind', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { signal } = new AbortController()
  const fetchImage = createImageFetcher({ maxBytes: 1, timeoutMs: 60_000, privateHosts: [] })
  const run = async (count: number) => {
    for (let index = 0; index < count; index++) await fetchImage('http://127.0.0.1/', signal).catch(() => undefined)
    await new Promise(resolve => setImmediate(resolve))
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await run(100)
  const grown = await run(5000) - before
  t.ok(grown < 2 ** 21, `${grown} bytes`)
})
