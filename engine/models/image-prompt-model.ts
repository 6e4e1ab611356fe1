import type { ImageEncoderConfig } from '../architectures/image-encoder.ts'
import type { ImageProjection } from '../architectures/image-projection.ts'
import { buildImagePrompt, checkImageEncoder } from '../architectures/image-prompt.ts'
import type { Lowering } from '../graph/model-graph.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import type { CompiledModel } from './compiled-model.ts'
import { HALF_ELEMENT_BYTES, elementCount } from './held-bytes.ts'
import { imageEncoderModel, readImageEncoderConfig } from './image-encoder-model.ts'
import type { ImageFeatures, LoadedImagePrompt } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import type { ModelFamily, ModelSpec } from './model-spec.ts'
import { openIpAdapter } from './open-ip-adapter.ts'
import { refuseUnused } from './refuse-unused.ts'

type AdapterSpec = Pick<ModelSpec, 'air' | 'path' | 'configPath'>

/** Family of the checkpoints that an adapter was made for, by the width of its tokens; undefined for a width of none of them. */
const FAMILY_BY_WIDTH: Readonly<Record<number, ModelFamily>> = { 768: 'sd1', 1024: 'sd2', 2048: 'sdxl' }

/** What of the image encoder's an adapter takes. */
const OUTPUT_BY_TYPE = { plain: 'image_embeds', resampler: 'image_patches' } as const satisfies Record<ImageProjection['type'], ImageFeatures['output']>

/**
 * Compiles what turns a picture's features into an IP-Adapter's tokens, its projection; the features are its image encoder's.
 * Throws a ModelError, WeightError or ConfigError with a sentence for people.
 */
export async function imagePromptModel({ air, path, configPath }: AdapterSpec, lowering: Lowering): Promise<CompiledModel<LoadedImagePrompt>> {
  const { projection, projectionWeights, encoderFolder } = await openIpAdapter(path, configPath)
  const encoderConfig = await readImageEncoderConfig(encoderFolder)
  checkImageEncoder(projection, encoderConfig)
  const graph = buildImagePrompt(projection, projectionWeights, lowering)
  refuseUnused(projectionWeights.unused())
  const { tokens, width } = projection
  return {
    byteLength: HALF_ELEMENT_BYTES[lowering] * elementCount(projectionWeights.used()),
    graphs: [graph],
    assemble: ([session]) => ({ air, features: featuresOf(projection, encoderConfig), tokens, width, session: session as ModelSession }),
  }
}

/** Tells which family an IP-Adapter is for, as far as its files do. Throws what is thrown for one that cannot be used, or whose image encoder cannot. */
export async function familyOfIpAdapter(spec: AdapterSpec): Promise<ModelFamily | undefined> {
  await imagePromptModel(spec, 'cpu')
  const { projection, encoderFolder } = await openIpAdapter(spec.path, spec.configPath)
  const { graphs: [encoder] } = await imageEncoderModel({ air: spec.air, path: encoderFolder }, 'cpu')
  if (!encoder?.outputs.some(({ name }) => name === OUTPUT_BY_TYPE[projection.type])) throw new ModelError('its image encoder lacks the tensor visual_projection.weight')
  return FAMILY_BY_WIDTH[projection.width]
}

function featuresOf({ type, inputWidth }: ImageProjection, { vision: { imageSize, patchSize } }: ImageEncoderConfig): ImageFeatures {
  // Beside the patches' there is the state of the class token.
  return { output: OUTPUT_BY_TYPE[type], tokens: type === 'plain' ? 1 : (imageSize / patchSize) ** 2 + 1, width: inputWidth }
}
