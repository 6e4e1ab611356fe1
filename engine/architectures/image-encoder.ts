import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { Tokens } from '../graph/layers.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { clipVision } from './clip-vision.ts'
import { parseClipVisionConfig } from './clip-vision-config.ts'
import type { ClipVisionConfig } from './clip-vision-config.ts'
import { ConfigReader } from './config-reader.ts'
import { NetworkWeights } from './network-weights.ts'

/** Name of the network, for messages about its configuration. */
export const IMAGE_ENCODER = 'image_encoder'
const PROJECTION = 'visual_projection'

/** What an image encoder's `config.json` says: that of a vision encoder, or of a whole CLIP model with one inside. */
export interface ImageEncoderConfig {
  readonly vision: ClipVisionConfig
  /** Width of the vector that stands for a picture. */
  readonly projectionWidth: number
}

/** Reads the `config.json` of a `CLIPVisionModelWithProjection`. Throws a ConfigError that names the key. */
export function parseImageEncoderConfig(config: Readonly<Record<string, unknown>>): ImageEncoderConfig {
  const own = config['vision_config'] === undefined ? config : new ConfigReader(IMAGE_ENCODER, config).object('vision_config')
  return { vision: parseClipVisionConfig(IMAGE_ENCODER, own), projectionWidth: new ConfigReader(IMAGE_ENCODER, own).size('projection_dim', 512) }
}

/**
 * The image encoder of IP-Adapters, CLIP's vision encoder; those that were trained with the same one share it.
 *
 * `pixel_values` float32 [rows, 3, size, size] → `image_patches` float32 [rows, tokens, width], the states before the last
 * layer, and where the weights have its projection `image_embeds` float32 [rows, 1, projection width].
 *
 * @param makeLayers for tests of a lowering
 */
export function buildImageEncoder(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const { vision, projectionWidth } = parseImageEncoderConfig(config)
  const weights = new NetworkWeights(source)
  const graph = new GraphBuilder(IMAGE_ENCODER)
  const pixels = graph.input('pixel_values', 'float32', ['rows', 3, vision.imageSize, vision.imageSize])
  const layers = makeLayers(graph, pixels, lowering, 'float16')
  const { hidden, pooled } = clipVision(graph, layers, weights.at('vision_model'), pixels, vision)
  graph.output('image_patches', 'float32', ['rows', 'tokens', vision.width], layers.fromTokens(hidden.at(-2) as Tokens))
  if (source.has(`${PROJECTION}.weight`)) {
    const embeds = layers.linear(pooled, weights.matrix(PROJECTION, vision.width, projectionWidth))
    graph.output('image_embeds', 'float32', ['rows', 1, projectionWidth], layers.fromTokens(embeds))
  }
  return graph.build()
}
