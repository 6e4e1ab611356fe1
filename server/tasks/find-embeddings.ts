import { ModelType } from '../../engine/index.ts'
import type { EmbeddingUse, ModelRegistry } from '../../engine/index.ts'
import type { ImageInferenceRequest } from '../../protocol/index.ts'
import { findModel } from './find-model.ts'
import { isRefusal } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** The embeddings that a task lists; what is none is named by its place. */
export function findEmbeddings(inputs: NonNullable<ImageInferenceRequest['embeddings']>, models: ModelRegistry): readonly EmbeddingUse[] | Refusal {
  const uses: EmbeddingUse[] = []
  for (const [index, { model, weight }] of inputs.entries()) {
    const wire = { parameter: `embeddings[${index}].model`, code: 'invalidEmbeddings' } as const
    const embedding = findModel(wire, model, ModelType.embedding, models)
    if (isRefusal(embedding)) return embedding
    uses.push({ model: embedding.air, weight })
  }
  return uses
}
