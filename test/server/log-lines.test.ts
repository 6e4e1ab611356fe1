import t from 'tap'
import { createTerminalLog, formatLogLine, terminalLogFor } from '../../server/log-lines.ts'
import { createLog } from '../../server/log.ts'

t.test('a person reads time, event and facts; the severity stands there when it is worth a look', async t => {
  const line = (level: string) => JSON.stringify({ level, time: '2026-01-02T03:04:05.678Z', taskUUID: 'u', durationMs: 12, model: 'a b', event: 'taskEnded' })
  t.match(formatLogLine(line('info')), /^\d\d:\d\d:05 {2}taskEnded {2}taskUUID=u {2}durationMs=12 {2}model="a b"$/)
  t.match(formatLogLine(line('warn')), /^\d\d:\d\d:05 {2}WARN taskEnded /)
})

t.test('an error shows its message in the line and its stack under it', async t => {
  const written: string[] = []
  const terminal = createTerminalLog(text => void written.push(text))
  terminal.release()
  createLog({ level: 'info', destination: terminal }).error('workerFailed', { error: new TypeError('no such thing') })
  t.match(written.join(''), /ERROR workerFailed {2}error="no such thing"\n {4}TypeError: no such thing\n {8}at /)
})

t.test('lines are held back until they are released, and keep their order', async t => {
  const written: string[] = []
  const terminal = createTerminalLog(text => void written.push(text))
  terminal.write('one\n')
  terminal.write('two\n')
  t.same(written, [])
  terminal.release()
  terminal.write('three\n')
  t.same(written, ['one\n', 'two\n', 'three\n'])
})

t.test('a stream that is no terminal keeps its JSON lines', async t => {
  const write = () => true
  t.equal(terminalLogFor({ write }), undefined)
  t.ok(terminalLogFor({ isTTY: true, write }))
})
