import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Tokens } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { clipVision } from './clip-vision.ts'
import { parseClipVisionConfig } from './clip-vision-config.ts'
import type { ClipVisionConfig } from './clip-vision-config.ts'
import { ConfigError } from './config-error.ts'
import { ConfigReader } from './config-reader.ts'
import { projectImage } from './image-projection.ts'
import type { ImageProjection } from './image-projection.ts'
import { NetworkWeights } from './network-weights.ts'

const COMPONENT = 'image_encoder'

/** What an image encoder's `config.json` says: that of a vision encoder, or of a whole CLIP model with one inside. */
export interface ImageEncoderConfig {
  readonly vision: ClipVisionConfig
  /** Width of the vector that stands for a picture. */
  readonly projectionWidth: number
}

/** What the graph of an adapter's image prompt is made of. */
export interface ImagePromptSources {
  /** Parsed `config.json` of the image encoder; a ConfigError names a value that is not supported. */
  readonly encoderConfig: Readonly<Record<string, unknown>>
  readonly encoder: WeightSource
  readonly projection: ImageProjection
  /** The adapter's `image_proj`. */
  readonly projectionWeights: WeightSource
}

/** Reads the `config.json` of a `CLIPVisionModelWithProjection`. Throws a ConfigError that names the key. */
export function parseImageEncoderConfig(config: Readonly<Record<string, unknown>>): ImageEncoderConfig {
  const own = config['vision_config'] === undefined ? config : new ConfigReader(COMPONENT, config).object('vision_config')
  return { vision: parseClipVisionConfig(COMPONENT, own), projectionWidth: new ConfigReader(COMPONENT, own).size('projection_dim', 512) }
}

/**
 * An IP-Adapter's guide image on its way to tokens: CLIP's vision encoder and the adapter's projection.
 *
 * `pixel_values` float32 [rows, 3, size, size], `presence` float32 [rows] → `image_states` float32 [rows, tokens, width].
 * Presence is 1 for a picture and 0 for none, which guidance sets against it: the reference takes a vector of zeros where the
 * adapter takes one, and a picture of zeros where it takes the states of patches.
 *
 * "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models" (Ye et al., 2023).
 *
 * @param makeLayers for tests of a lowering
 */
export function buildImagePrompt(sources: ImagePromptSources, lowering: Lowering, makeLayers: LayersFactory = createLayers): ModelGraph {
  const { projection } = sources
  const { vision, projectionWidth } = parseImageEncoderConfig(sources.encoderConfig)
  checkWidths(projection, vision, projectionWidth)
  const weights = new NetworkWeights(sources.encoder)
  const graph = new GraphBuilder('image_prompt')
  const pixels = graph.input('pixel_values', 'float32', ['rows', 3, vision.imageSize, vision.imageSize])
  const presence = graph.input('presence', 'float32', ['rows'])
  const layers = makeLayers(graph, pixels, lowering, 'float16')

  const seen = projection.type === 'plain' ? pixels : graph.node('Mul', [pixels, graph.node('Reshape', [presence, graph.integers(-1, 1, 1, 1)])])
  const states = clipVision(graph, layers, weights.at('vision_model'), seen, vision)
  const embeds = (): Tokens => {
    const vector = layers.linear(states.pooled, weights.matrix('visual_projection', vision.width, projectionWidth))
    return layers.scaleTokens(vector, presence)
  }
  const tokens = projectImage(layers, sources.projectionWeights, projection, states, embeds)
  graph.output('image_states', 'float32', ['rows', projection.tokens, projection.width], layers.fromTokens(tokens))
  return graph.build()
}

function checkWidths({ type, inputWidth }: ImageProjection, { width }: ClipVisionConfig, projectionWidth: number): void {
  const [key, given] = type === 'plain' ? ['projection_dim', projectionWidth] : ['hidden_size', width]
  if (given !== inputWidth) throw new ConfigError(`${COMPONENT}.${key}`, `is ${given}, and the adapter was made for an image encoder where it is ${inputWidth}`)
}
