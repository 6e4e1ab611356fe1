import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import { parseFrame } from '../../protocol/index.ts'
import { parseJson } from '../../protocol/parse-json.ts'

const long = 'A'.repeat(20_000)

/** Counts the characters that go through the parser. */
function countParsed(run: () => void): number {
  const { parse } = JSON
  let count = 0
  JSON.parse = (text: string, ...rest: []) => {
    count += text.length
    return parse(text, ...rest) as unknown
  }
  try {
    run()
  } finally {
    JSON.parse = parse
  }
  return count
}

t.test('pictures in a frame are not parsed, wherever they stand', t => {
  const value = [{ a: long, b: [long, { c: 'short', d: `${long}é` }] }, long]
  for (const text of [JSON.stringify(value), JSON.stringify(value, undefined, 2)]) {
    let parsed: unknown
    const count = countParsed(() => { parsed = parseJson(text) })
    t.strictSame(parsed, { type: 'parsed', value, isSuspect: false })
    t.ok(count < 500, `${count} characters`)
  }
  t.end()
})

t.test('what is cut out and put back is what a parser reads', t => {
  const texts = [
    `["${long}\\/\\u0041\\n"]`, `["\\u00000","${long}"]`, `["\\u0000","${long}\\u0000"]`, `{"${long}":1}`, `{"${long}" : "${long}"}`, `{"a":"${long}","a":"${long}2"}`,
    `{"2":"${long}","1":"${long}1"}`, `[ "${long}" , "${long}" ]\n`, `"${long}"`, `["${long}\\""]`, `["${long}\\\\"]`, `{"a":{"toString":"${long}"}}`,
  ]
  for (const text of texts) t.strictSame(parseJson(text), { type: 'parsed', value: JSON.parse(text) as unknown, isSuspect: false }, text.replaceAll(long, '…'))
  t.match(parseJson(`{"__proto__":"${long}"}`), { type: 'parsed', isSuspect: true })
  t.equal(Object.getPrototypeOf((parseJson(`[{"__proto__":"${long}"}]`) as { readonly value: readonly object[] }).value[0]), Object.prototype)
  t.end()
})

t.test('a text with a long string in it that is no JSON is refused', t => {
  for (const text of [`["${long}`, `["${long}"`, `["${long}"]x`, `["${long}" "${long}"]`, `["${long}\\x"]`, `\ufeff["${long}"]`, `[${long}]`, `["${long}",]`]) {
    t.match(parseJson(text), { type: 'refused', code: 'invalidJSON', reason: 'it could not be parsed' }, text.replaceAll(long, '…').slice(0, 40))
  }
  t.end()
})

t.test('texts are read as a parser reads them, long strings or not', async () => {
  const string = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }).map(start => start + long), fc.constantFrom('\u00000', '\u0000', '"', '\\', long))
  const value = fc.letrec(tie => ({
    value: fc.oneof({ maxDepth: 3 }, string, fc.double(), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(string, tie('value'), { maxKeys: 4 })),
  })).value
  fc.assert(fc.property(value, fc.constantFrom(undefined, 1), (given, indent) => {
    const text = JSON.stringify(given, undefined, indent)
    const parsed = parseJson(text)
    return parsed.type === 'parsed' && JSON.stringify(parsed.value) === JSON.stringify(JSON.parse(text))
  }), { numRuns: 200 })
})

t.test('a frame whose short texts are too much to parse at once is refused', t => {
  const many = JSON.stringify([{ taskType: 'ping', x: Array.from({ length: 1000 }, () => 'y'.repeat(10_000)) }])
  t.match(parseFrame(many, { maxTasksPerFrame: 100 }), [{ error: { code: 'invalidRequest', message: /more than 8388608 characters beside its pictures/ } }])
  t.end()
})

t.test('what an error repeats keeps no frame in memory', t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const taskType = 'video'.repeat(400_000)
  const frames = [
    (index: number) => JSON.stringify([{ taskType: `${index}${taskType}`, taskUUID: 'u' }]),
    (index: number) => JSON.stringify([{ ping: true }, { taskType: `${index}${taskType}`, taskUUID: 'u' }]),
  ]
  for (const makeFrame of frames) {
    collect()
    const before = process.memoryUsage().heapUsed
    const kept = Array.from({ length: 20 }, (_, index) => parseFrame(makeFrame(index), { maxTasksPerFrame: 1 }))
    collect()
    const grown = process.memoryUsage().heapUsed - before
    t.equal(kept.flat().filter(({ type }) => type === 'error').length, 20)
    t.ok(grown < 2 ** 22, `${grown} bytes`)
  }
  t.end()
})
