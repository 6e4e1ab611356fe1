import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { EmbedsCache } from '../../../engine/pipelines/embeds-cache.ts'
import type { PreparedRequest } from '../../../engine/pipelines/pipeline.ts'
import { PromptEncoder } from '../../../engine/pipelines/prompt-encoder.ts'
import { createPromptTokenizer } from '../../../engine/prompts/prompt-tokenizer.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { REFERENCE, readTensors, relativeError } from '../architectures/reference-tensors.ts'
import { request } from '../core/fake-model.ts'
import { referenceRegistry } from './reference-pictures.ts'

t.setTimeout(180_000)

type Listed = Pick<GenerationRequest, 'model' | 'prompt' | 'clipSkip'> & { readonly promptWeighting: 'compel' | 'sdEmbeds' }

const listed = JSON.parse(readFileSync(join(REFERENCE, 'prompts', 'states.json'), 'utf8')) as readonly Listed[]
const expected = readTensors(join(REFERENCE, 'prompts', 'states.safetensors'))
const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const loader = createModelLoader({ registry: await referenceRegistry(), runtime, weightsBudgetBytes: 1e9 })

async function encoderOf(model: string) {
  const loaded = await loader.load(`local:${model}@1`)
  const runs: number[] = []
  const encoder = new PromptEncoder({
    model: loaded,
    tokenizers: loaded.textEncoders.map(({ tokenizer }) => createPromptTokenizer(tokenizer)),
    cache: new EmbedsCache(1e8),
    roundRank: (rank) => rank,
    runNetwork: (session, feeds, { rows }) => {
      runs.push(rows)
      return session.run(feeds)
    },
  })
  return { encoder, runs, width: loaded.contextSize }
}

const { initImage: _, ...common } = request('r', { guidanceScale: 1 })
const prepared = (fields: Partial<PreparedRequest['request']>): PreparedRequest => ({ request: { ...common, ...fields }, parts: {} })

for (const model of new Set(listed.map((each) => each.model))) {
  t.test(`the states of weighted prompts are those of compel and of sd_embed's arithmetic, all encoded together: ${model}`, async t => {
    const { encoder, runs, width } = await encoderOf(model)
    const own = [...listed.entries()].filter(([, each]) => each.model === model)
    const encoded = await encoder.encode(own.map(([, { prompt, promptWeighting, clipSkip }]) => prepared({ prompt, promptWeighting, clipSkip })), 8)
    for (const [place, [index, { prompt, promptWeighting, clipSkip }]] of own.entries()) {
      const { tokens, data } = (encoded[place] as (typeof encoded)[number]).promptEmbeds
      const error = relativeError({ dtype: 'float32', dims: [tokens, width], data }, expected[String(index).padStart(3, '0')])
      t.ok(error < 1e-4, `${promptWeighting}, clip skip ${clipSkip}: ${prompt.slice(0, 60)} (${error})`)
    }
    t.ok(runs.every((rows) => rows <= 8))
  })
}

t.test('a prompt is encoded once whatever its weights are, and the shorter prompt is filled up to the longer one', async t => {
  const { encoder, runs } = await encoderOf('sd1-tiny')
  const long = 'cat '.repeat(100)
  const both = async (promptWeighting: 'compel' | 'sdEmbeds' | undefined) => {
    const [encoded] = await encoder.encode(
      [prepared({ prompt: 'a cat', negativePrompt: long, guidanceScale: 5, ...(promptWeighting && { promptWeighting }) })], 8,
    )
    return [encoded?.promptEmbeds.tokens, encoded?.negativePromptEmbeds?.tokens]
  }
  t.same(await both(undefined), [77, 154])
  t.same(await both('compel'), [154, 154])
  t.same(await both('sdEmbeds'), [154, 154])
  const before = runs.length
  await encoder.encode([prepared({ prompt: '(a)1.2 cat', promptWeighting: 'compel' }), prepared({ prompt: 'a (cat:3)', promptWeighting: 'sdEmbeds' })], 8)
  t.equal(runs.length, before, 'other weights of the same tokens are no work for the text encoder')
})

t.test('with a syntax of weights the skipped layers are skipped for both prompts, without one for the prompt alone', async t => {
  const { encoder } = await encoderOf('sd1-tiny')
  const statesOf = async (fields: Partial<PreparedRequest['request']>) => {
    const [encoded] = await encoder.encode([prepared({ prompt: 'a', negativePrompt: 'a cat', guidanceScale: 5, ...fields })], 8)
    return encoded?.negativePromptEmbeds?.data
  }
  const plain = await statesOf({ clipSkip: 0 })
  t.same(await statesOf({ clipSkip: 1 }), plain)
  for (const promptWeighting of ['compel', 'sdEmbeds'] as const) {
    t.same(await statesOf({ clipSkip: 0, promptWeighting }), plain)
    t.notSame(await statesOf({ clipSkip: 1, promptWeighting }), plain)
  }
})

t.test('syntax that cannot be followed is an error that names the prompt', async t => {
  const { encoder } = await encoderOf('sd1-tiny')
  for (const [fields, parameter, message] of [
    [{ prompt: 'a cat.swap(dog)' }, 'prompt', /^prompt: \.swap\(\) is not supported/],
    [{ negativePrompt: '("a", "b").blend(1)', guidanceScale: 5 }, 'negativePrompt', /^negativePrompt: \.blend\(\) has 2 prompts/],
    [{ prompt: '(a)0.5 b '.repeat(129) }, 'prompt', /129 passages of a weight below 1/],
  ] as const) {
    await t.rejects(encoder.encode([prepared({ promptWeighting: 'compel', ...fields })], 8), { code: 'invalidParameter', parameter, message })
  }
})
