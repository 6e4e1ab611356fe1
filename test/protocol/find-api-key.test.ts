import t from 'tap'
import { findApiKey } from '../../protocol/index.ts'

t.test('the key of an authentication in front is found before the rest is there', t => {
  const found = [
    '[{"taskType":"authentication","apiKey":"key-1"}', '\ufeff [\n{ "apiKey" : "key-1", "taskType" : "authentication" } , {"taskType"',
    '[{"taskType":"authentication","apiKey":"key-1","connectionSessionUUID":"a}\\"b"},{"cut',
  ]
  for (const text of found) t.equal(findApiKey(text), 'key-1', text)
  t.end()
})

t.test('anything else has none', t => {
  const others = [
    '', '[', '{"taskType":"authentication","apiKey":"key-1"}', '[{"taskType":"authentication","apiKey":"key-1"', '[{"taskType":"authentication","apiKey":"key-1}',
    '[[{"taskType":"authentication","apiKey":"key-1"}', '[{"taskType":"ping","apiKey":"key-1"}', '[1,{"taskType":"authentication","apiKey":"key-1"}', '[{"taskType":"authentication","apiKey":1}',
  ]
  for (const text of others) t.equal(findApiKey(text), undefined, text)
  t.equal(findApiKey(`[{"${'\\"'.repeat(30_000)}`), undefined, 'nor what takes long to look through')
  t.end()
})
