import { join } from 'node:path'
import { buildImagePrompt, parseImageEncoderConfig } from '../architectures/image-prompt.ts'
import type { Lowering } from '../graph/model-graph.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import { openClipVisionWeights } from '../weights/clip-vision-weights.ts'
import { clipImageSettings } from './clip-image-settings.ts'
import type { CompiledModel } from './compiled-model.ts'
import { elementCount } from './held-bytes.ts'
import { readJsonFile } from './json-file.ts'
import type { LoadedImagePrompt } from './loaded-model.ts'
import type { ModelFamily, ModelSpec } from './model-spec.ts'
import { openIpAdapter } from './open-ip-adapter.ts'
import { refuseUnused } from './refuse-unused.ts'

const CONFIG = 'config.json'
/** Bytes of an element once a session is open: it computes in halves on CUDA. */
const ELEMENT_BYTES: Readonly<Record<Lowering, number>> = { cpu: 4, cuda: 2 }

/** Family of the checkpoints that an adapter was made for, by the width of its tokens; undefined for a width of none of them. */
const FAMILY_BY_WIDTH: Readonly<Record<number, ModelFamily>> = { 768: 'sd1', 1024: 'sd2', 2048: 'sdxl' }

/**
 * Compiles what turns an IP-Adapter's guide images into tokens: its image encoder and its projection.
 * Throws a ModelError, WeightError or ConfigError with a sentence for people.
 */
export async function imagePromptModel({ air, path, configPath }: Pick<ModelSpec, 'air' | 'path' | 'configPath'>, lowering: Lowering): Promise<CompiledModel<LoadedImagePrompt>> {
  const { projection, projectionWeights, encoderFolder } = await openIpAdapter(path, configPath)
  const encoderConfig = await readJsonFile(join(encoderFolder, CONFIG), encoderFolder, CONFIG)
  const encoder = await openClipVisionWeights(encoderFolder, encoderFolder, 'image encoder')
  const graph = buildImagePrompt({ encoderConfig, encoder, projection, projectionWeights }, lowering)
  refuseUnused([...encoder.unused(), ...projectionWeights.unused()])
  const { imageSize } = parseImageEncoderConfig(encoderConfig).vision
  const { tokens, width } = projection
  return {
    byteLength: ELEMENT_BYTES[lowering] * elementCount([...encoder.used(), ...projectionWeights.used()]),
    graphs: [graph],
    // The reference prepares guide images with the published settings at the encoder's size, whatever a file beside it says.
    assemble: ([session]) => ({ air, imageSize, settings: clipImageSettings(imageSize), tokens, width, session: session as ModelSession }),
  }
}

/** Tells which family an IP-Adapter is for, as far as its files do. Throws what `imagePromptModel` throws for one that cannot be used. */
export async function familyOfIpAdapter(spec: Pick<ModelSpec, 'air' | 'path' | 'configPath'>): Promise<ModelFamily | undefined> {
  await imagePromptModel(spec, 'cpu')
  return FAMILY_BY_WIDTH[(await openIpAdapter(spec.path, spec.configPath)).projection.width]
}
