import { join } from 'node:path'
import { buildImageEncoder, parseImageEncoderConfig } from '../architectures/image-encoder.ts'
import type { ImageEncoderConfig } from '../architectures/image-encoder.ts'
import type { Lowering } from '../graph/model-graph.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import { openClipVisionWeights } from '../weights/clip-vision-weights.ts'
import { clipImageSettings } from './clip-image-settings.ts'
import type { CompiledModel } from './compiled-model.ts'
import { HALF_ELEMENT_BYTES, elementCount } from './held-bytes.ts'
import { readJsonFile } from './json-file.ts'
import type { LoadedImageEncoder } from './loaded-model.ts'
import { ModelType } from './model-spec.ts'
import type { ModelRegistry, ModelSpec } from './model-spec.ts'
import { imageEncoderFolderOf } from './open-ip-adapter.ts'
import { refuseUnused } from './refuse-unused.ts'

const CONFIG = 'config.json'

/**
 * An adapter's image encoder as an entry of its own: the same one for all adapters that share its folder, under the name of
 * the first of them.
 */
export function imageEncoderSpec(adapter: ModelSpec, { models }: Pick<ModelRegistry, 'models'>): ModelSpec {
  const path = imageEncoderFolderOf(adapter)
  const first = models.find(model => model.type === ModelType.ipAdapter && imageEncoderFolderOf(model) === path) ?? adapter
  return { ...adapter, air: `${first.air}'s image encoder`, path }
}

/** Reads what an image encoder's folder says of it. Throws a ModelError or a ConfigError. */
export async function readImageEncoderConfig(folder: string): Promise<ImageEncoderConfig> {
  return parseImageEncoderConfig(await readJsonFile(join(folder, CONFIG), folder, CONFIG))
}

/** Compiles the image encoder in a folder. Throws a ModelError, WeightError or ConfigError with a sentence for people. */
export async function imageEncoderModel({ air, path }: Pick<ModelSpec, 'air' | 'path'>, lowering: Lowering): Promise<CompiledModel<LoadedImageEncoder>> {
  const config = await readJsonFile(join(path, CONFIG), path, CONFIG)
  const weights = await openClipVisionWeights(path, path, 'image encoder')
  const graph = buildImageEncoder(config, weights, lowering)
  refuseUnused(weights.unused())
  const { vision: { imageSize } } = parseImageEncoderConfig(config)
  return {
    byteLength: HALF_ELEMENT_BYTES[lowering] * elementCount(weights.used()),
    graphs: [graph],
    // The reference prepares guide images with the published settings at the encoder's size, whatever a file beside it says.
    assemble: ([session]) => ({ air, imageSize, settings: clipImageSettings(imageSize), session: session as ModelSession }),
  }
}
