import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readEmbedding } from '../../../engine/models/embedding-file.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { EmbedsCache } from '../../../engine/pipelines/embeds-cache.ts'
import type { PreparedRequest } from '../../../engine/pipelines/pipeline.ts'
import { PromptEncoder } from '../../../engine/pipelines/prompt-encoder.ts'
import { createPromptTokenizer } from '../../../engine/prompts/prompt-tokenizer.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { REFERENCE, readTensors, relativeError } from '../architectures/reference-tensors.ts'
import { request } from '../core/fake-model.ts'
import { referenceRegistry } from './reference-pictures.ts'

interface Listed {
  readonly prompt: string
  readonly promptWeighting: 'compel' | 'sdEmbeds'
  readonly embeddings?: readonly string[]
}

const folder = join(REFERENCE, 'sdxl-prompts')
const listed = JSON.parse(readFileSync(join(folder, 'states.json'), 'utf8')) as readonly Listed[]
const expected = readTensors(join(folder, 'states.safetensors'))
const shine = await readEmbedding(join(folder, 'embeddings', 'shine.safetensors'))
const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const loader = createModelLoader({ registry: await referenceRegistry(), runtime, weightsBudgetBytes: 1e9 })
const { initImage: _, mask: __, ...common } = request('r', { guidanceScale: 1 })

function preparedFor({ prompt, promptWeighting, embeddings }: Listed): PreparedRequest {
  const uses = embeddings?.map((name) => ({ model: `local:${name}@1`, weight: 1 }))
  return { request: { ...common, prompt, promptWeighting, ...(uses && { embeddings: uses }) }, parts: { ...(uses && { embeddings: [shine] }) } }
}

async function encoderOf(model: string): Promise<PromptEncoder> {
  const loaded = await loader.load(`local:${model}@1`)
  const tokenizers = loaded.textEncoders.map(({ tokenizer }) => createPromptTokenizer(tokenizer))
  return new PromptEncoder({ model: loaded, tokenizers, cache: new EmbedsCache(1e8), runNetwork: (session, feeds) => session.run(feeds), roundRank: (rank) => rank })
}

t.test("weighted prompts and an embedding of two text encoders give SDXL what compel's class for it gives", async t => {
  const encoded = await (await encoderOf('sdxl-tiny')).encode(listed.map(preparedFor), 8)
  for (const [index, { prompt, embeddings }] of listed.entries()) {
    const { tokens, data, added } = (encoded[index] as (typeof encoded)[number]).promptEmbeds
    const whole = added?.textEmbeds ?? new Float32Array(0)
    const states = relativeError({ dtype: 'float32', dims: [tokens, data.length / tokens], data }, expected[`${index} states`])
    t.ok(states < 1e-4, `${prompt} (${states})`)
    // transformers takes the text's vector where the highest id stands, and the embedding's ids are higher than the end token's.
    if (embeddings) continue
    const vector = relativeError({ dtype: 'float32', dims: [whole.length], data: whole }, expected[`${index} whole`])
    t.ok(vector < 1e-4, `${prompt}, as one vector (${vector})`)
  }
})

t.test("prompts in sd_embed's syntax give SDXL what its arithmetic gives", async t => {
  const place = join(REFERENCE, 'sdxl-sd-embeds')
  const prompts = JSON.parse(readFileSync(join(place, 'states.json'), 'utf8')) as readonly Listed[]
  const reference = readTensors(join(place, 'states.safetensors'))
  const encoded = await (await encoderOf('sdxl-tiny')).encode(prompts.map(preparedFor), 8)
  for (const [index, { prompt }] of prompts.entries()) {
    const { tokens, data, added } = (encoded[index] as (typeof encoded)[number]).promptEmbeds
    const states = relativeError({ dtype: 'float32', dims: [tokens, data.length / tokens], data }, reference[`${index} states`])
    t.ok(states < 1e-4, `${prompt} (${states})`)
    const whole = added?.textEmbeds ?? new Float32Array(0)
    const vector = relativeError({ dtype: 'float32', dims: [whole.length], data: whole }, reference[`${index} whole`])
    t.ok(vector < 1e-4, `${prompt}, as one vector (${vector})`)
  }
})

t.test('a refiner takes the second half of such an embedding', async t => {
  const [encoded] = await (await encoderOf('sdxl-refiner-tiny')).encode([{ ...preparedFor({ prompt: 'a shine', promptWeighting: 'compel', embeddings: ['shine'] }) }], 8)
  t.equal(encoded?.promptEmbeds.tokens, 77)
})
