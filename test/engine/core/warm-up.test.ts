import t from 'tap'
import { fakeEngine } from './fake-model.ts'

const rowsOf = (runs: ReturnType<typeof fakeEngine>['runs'], stage: string) =>
  runs.filter((run) => run.stage === stage).map(({ rows }) => rows)

await t.test('a warm-up runs each network once, as one picture with guidance does', async (t) => {
  const { engine, runs } = fakeEngine()
  await engine.warmUp('local:a@1')
  t.same(runs.map(({ stage, rows }) => [stage, rows]), [['encodeImage', 1], ['encodePrompt', 1], ['denoise', 2], ['decode', 1]])
  await engine.stop()
})

await t.test('where numbers of rows matter, a warm-up runs every one of them', async (t) => {
  const { engine, runs } = fakeEngine({ warmUpRows: [1, 2, 4, 5, 8] })
  await engine.warmUp('local:a@1')
  t.same(rowsOf(runs, 'denoise'), [1, 2, 4, 5, 8])
  t.equal(engine.size, 0)
  await engine.stop()
})

await t.test('a warm-up can leave the encoder to the first picture', async (t) => {
  const { engine, runs } = fakeEngine({ warmsUpEncoder: false })
  await engine.warmUp('local:a@1')
  t.same(runs.map(({ stage, rows }) => [stage, rows]), [['encodePrompt', 1], ['denoise', 2], ['decode', 1]])
  await engine.stop()
})
