import type { Activation } from '../graph/layers.ts'
import { clipActivation } from './clip-activation.ts'
import { ConfigReader } from './config-reader.ts'

/** What a vision encoder's `config.json` says. */
export interface ClipVisionConfig {
  /** Pixels along each side of its input. */
  readonly imageSize: number
  /** Pixels along each side of what becomes one token. */
  readonly patchSize: number
  readonly width: number
  readonly feedForwardWidth: number
  readonly layers: number
  readonly heads: number
  readonly activation: Activation
  readonly layerNormEpsilon: number
}

/**
 * Reads the configuration of a `CLIPVisionModel`, with the defaults of transformers; `component` is for messages.
 * Throws a ConfigError that names the key.
 */
export function parseClipVisionConfig(component: string, config: Readonly<Record<string, unknown>>): ClipVisionConfig {
  const reader = new ConfigReader(component, config)
  reader.refuse('num_channels', 3)
  const imageSize = reader.size('image_size', 224)
  const patchSize = reader.size('patch_size', 32)
  if (imageSize % patchSize !== 0) throw reader.error('patch_size', `must divide image_size ${imageSize}, which ${patchSize} does not`)
  const width = reader.size('hidden_size', 768)
  const heads = reader.size('num_attention_heads', 12)
  if (width % heads !== 0) throw reader.error('num_attention_heads', `must divide hidden_size ${width}, which ${heads} does not`)
  return {
    imageSize,
    patchSize,
    width,
    feedForwardWidth: reader.size('intermediate_size', 3072),
    layers: reader.size('num_hidden_layers', 12),
    heads,
    activation: clipActivation(reader),
    layerNormEpsilon: reader.number('layer_norm_eps', 1e-5),
  }
}
