import { findWeightFiles } from './find-weight-files.ts'
import { readWeightFiles } from './read-weight-files.ts'
import { TensorSource } from './tensor-source.ts'
import type { NamedTensor } from './tensor-source.ts'
import { WeightError } from './weight-error.ts'

/** File stem of the weights in a folder as transformers writes it. */
const STEM = 'model'
const ENCODER = 'vision_model.'
// A buffer that older writers stored, what a whole CLIP model's file holds beside, and what not every network takes of the encoder.
const IGNORABLE = /^(vision_model\.embeddings\.position_ids|text_model\..+|text_projection\.weight|logit_scale|visual_projection\.weight)$/

/**
 * Opens the weights of a network around a CLIP vision encoder: reads headers only. The encoder's names begin with
 * `vision_model.`, whether the file has that once, twice or not at all.
 * Throws a WeightError.
 * @param label what the network is, for messages
 */
export async function openClipVisionWeights(folder: string, root: string, label: string): Promise<TensorSource> {
  const stored = await readWeightFiles(await findWeightFiles(folder, STEM, root))
  const tensors = new Map<string, NamedTensor>()
  for (const [original, tensor] of stored) {
    const name = canonicalName(original)
    if (tensors.has(name)) throw new WeightError(`the ${label} has the tensor ${name} twice, the other time as ${original}`)
    tensors.set(name, { original, tensor })
  }
  return new TensorSource({ label, tensors, isIgnorable: name => IGNORABLE.test(name) })
}

function canonicalName(name: string): string {
  const bare = name.replace(/^(vision_model\.)+/, '')
  return /^(embeddings|pre_layrnorm|encoder|post_layernorm)\./.test(bare) ? ENCODER + bare : name
}
