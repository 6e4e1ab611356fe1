import { readEmbedding } from './embedding-file.ts'
import type { TextEmbedding } from './loaded-model.ts'
import type { ModelSpec } from './model-spec.ts'
import type { OpenModel } from './weights-budget.ts'

/**
 * Reads an embedding into memory: it has no graph, its vectors are given to the text encoder with the prompts that name it.
 * Throws what `readEmbedding` throws.
 * @param makeRoom awaited before it is given out, with the bytes that it holds: a few kilobytes
 */
export async function loadEmbedding(spec: ModelSpec, makeRoom: (bytes: number) => Promise<void>): Promise<OpenModel<TextEmbedding>> {
  const model = await readEmbedding(spec.path)
  const byteLength = model.vectors.flat().reduce((sum, vector) => sum + vector.byteLength, 0)
  await makeRoom(byteLength)
  return { spec, byteLength, model, release: () => Promise.resolve() }
}
