import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { ConfigError } from './config-error.ts'
import { IMAGE_ENCODER } from './image-encoder.ts'
import type { ImageEncoderConfig } from './image-encoder.ts'
import { projectImage } from './image-projection.ts'
import type { ImageProjection } from './image-projection.ts'

/**
 * An IP-Adapter's guide image on its way from the image encoder to tokens: the adapter's projection.
 *
 * `image_features` float32 [rows, features, input width] → `image_states` float32 [rows, tokens, width].
 *
 * "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models" (Ye et al., 2023).
 *
 * @param source the adapter's `image_proj`
 * @param makeLayers for tests of a lowering
 */
export function buildImagePrompt(projection: ImageProjection, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers): ModelGraph {
  const { inputWidth, tokens, width } = projection
  const graph = new GraphBuilder('image_prompt')
  const features = graph.input('image_features', 'float32', ['rows', 'features', inputWidth])
  const layers = makeLayers(graph, features, lowering, 'float16')
  const states = projectImage(layers, source, projection, layers.tokens(features, inputWidth))
  graph.output('image_states', 'float32', ['rows', tokens, width], layers.fromTokens(states))
  return graph.build()
}

/** Throws a ConfigError where an adapter was trained with another image encoder. */
export function checkImageEncoder({ type, inputWidth }: ImageProjection, { vision, projectionWidth }: ImageEncoderConfig): void {
  const [key, given] = type === 'plain' ? ['projection_dim', projectionWidth] : ['hidden_size', vision.width]
  if (given !== inputWidth) throw new ConfigError(`${IMAGE_ENCODER}.${key}`, `is ${given}, and the adapter was made for an image encoder where it is ${inputWidth}`)
}
