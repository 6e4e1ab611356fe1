import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { openEmbedding, readEmbedding } from '../../../engine/models/embedding-file.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { writeSafetensors, zeros } from '../weights/safetensors-writer.ts'
import type { TensorBytes } from '../weights/safetensors-writer.ts'

async function fileOf(t: Test, tensors: Record<string, TensorBytes>): Promise<string> {
  return writeSafetensors(join(t.testdir({}), 'worn look.safetensors'), tensors)
}

t.test('the trigger is the token the file names, else the name of the file', async t => {
  for (const [key, trigger] of [['<star>', '<star>'], ['glimmer', 'glimmer'], ['emb_params', 'worn look'], ['string_to_param.*', 'worn look'], ['*', 'worn look']] as const) {
    const path = await fileOf(t, { [key]: zeros(2, 8) })
    const { trigger: found, vectors } = await readEmbedding(path)
    t.same([found, vectors.map((each) => each.map(({ length }) => length))], [trigger, [[8, 8]]], key)
    t.match((await openRegistry([path])).models, [{ type: 'embedding' }], `${key} is known as an embedding`)
  }
  t.same((await readEmbedding(await fileOf(t, { '<one>': zeros(8) }))).vectors.map((each) => each.length), [1])
})

t.test('two text encoders have a matrix each, in their order', async t => {
  const { trigger, vectors } = await readEmbedding(await fileOf(t, { clip_g: zeros(2, 16), clip_l: zeros(2, 8) }))
  t.same([trigger, vectors.map((each) => each.map(({ length }) => length))], ['worn look', [[8, 8], [16, 16]]])
})

t.test('what is no embedding is refused with the reason', async t => {
  for (const [tensors, message] of [
    [{ a: zeros(2, 8), b: zeros(2, 8) }, /holds one tensor, or clip_l and clip_g; it holds 2/],
    [{ emb_params: zeros(76, 8) }, /it has 76 vectors; at most 75/],
    [{ emb_params: zeros(2, 2, 8) }, /of the shape \[2, 2, 8\] is no list of vectors/],
    [{ clip_l: zeros(1, 8), clip_g: zeros(2, 16) }, /another number of vectors for each text encoder \(1 and 2\)/],
    [{ ' ': zeros(8) }, /its token is empty/],
  ] as const) await t.rejects(openEmbedding(await fileOf(t, tensors)), { name: 'ModelError', message })
  const infinite = { dtype: 'F32', shape: [1], data: Buffer.from(Float32Array.of(Infinity).buffer) } as const
  await t.rejects(readEmbedding(await fileOf(t, { emb_params: infinite })), { message: /not all finite/ })
})
