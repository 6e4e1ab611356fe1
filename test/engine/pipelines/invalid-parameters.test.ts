import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import { request } from '../core/fake-model.ts'
import { referenceEngine } from './reference-pictures.ts'

const never = new AbortController().signal
const base = { model: 'local:sd1-tiny@1', noiseScheduler: 'Euler' }

const refusals: readonly { readonly title: string; readonly fields: Partial<GenerationRequest>; readonly parameter: string }[] = [
  { title: 'a noise scheduler that nobody knows', fields: { noiseScheduler: 'Magic' }, parameter: 'noiseScheduler' },
  { title: 'no steps at all', fields: { totalSteps: 0 }, parameter: 'totalSteps' },
  { title: 'more steps than the noise schedule has', fields: { totalSteps: 1001, noiseScheduler: 'DDIM' }, parameter: 'totalSteps' },
  { title: 'more steps than LCM was distilled for', fields: { totalSteps: 60, noiseScheduler: 'LCM' }, parameter: 'totalSteps' },
  { title: 'skipping more layers than the text encoder has', fields: { model: 'local:mixed-tiny@1', clipSkip: 2 }, parameter: 'clipSkip' },
  { title: 'a prompt beyond all measure', fields: { prompt: 'cat '.repeat(6000) }, parameter: 'prompt' },
  { title: 'a negative prompt beyond all measure', fields: { negativePrompt: 'cat '.repeat(6000) }, parameter: 'negativePrompt' },
]

await t.test('what a model or noise scheduler cannot do is refused by name, and the others are not disturbed', async (t) => {
  const engine = await referenceEngine()
  const good = engine.generate(request('good', base), never)
  const refused = refusals.map(({ title, fields }) => engine.generate(request(title, { ...base, ...fields }), never).then(
    () => undefined,
    (reason: unknown) => reason,
  ))
  for (const [i, { title, parameter }] of refusals.entries()) {
    t.match(await refused[i], { name: 'EngineError', code: 'invalidParameter', parameter, message: new RegExp(`^${parameter}: `) }, title)
  }
  t.match(await good, { width: 64, height: 64 })
  await t.rejects(engine.generate(request('unknown', { model: 'local:unknown@1' }), never), { name: 'ModelError' })
  await engine.stop()
})

await t.test('warming up a real model leaves it loaded', async (t) => {
  const stages: string[] = []
  const engine = await referenceEngine({ onRun: ({ stage }) => stages.push(stage) })
  await engine.warmUp('local:sd2-tiny@1')
  // The VAE's encoder is left to the first task with a picture.
  t.same(stages, ['encodePrompt', 'projectPrompt', 'denoise', 'decode'])
  t.equal(engine.size, 0)
  await engine.stop()
})
