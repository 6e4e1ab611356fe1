import type { Activation } from '../graph/layers.ts'
import { clipActivation } from './clip-activation.ts'
import { ConfigReader } from './config-reader.ts'

/** What a text encoder's `config.json` says. */
export interface ClipTextConfig {
  readonly vocabularySize: number
  readonly width: number
  readonly feedForwardWidth: number
  readonly layers: number
  readonly heads: number
  /** Tokens of a prompt chunk, start and end among them. */
  readonly tokens: number
  readonly activation: Activation
  readonly layerNormEpsilon: number
  /** Width of the pooled text's projection. */
  readonly projectionWidth: number
  /** The token whose state stands for the whole text: its first place counts, or that of a row's highest id. */
  readonly pooledToken: number | 'highest'
}

/** Reads the `config.json` of a `CLIPTextModel`, with the defaults of transformers. Throws a ConfigError that names the key. */
export function parseClipTextConfig(config: Readonly<Record<string, unknown>>): ClipTextConfig {
  const reader = new ConfigReader('text_encoder', config)
  const width = reader.size('hidden_size', 512)
  const heads = reader.size('num_attention_heads', 8)
  if (width % heads !== 0) throw reader.error('num_attention_heads', `must divide hidden_size ${width}, which ${heads} does not`)
  return {
    vocabularySize: reader.size('vocab_size', 49408),
    width,
    feedForwardWidth: reader.size('intermediate_size', 2048),
    layers: reader.size('num_hidden_layers', 12),
    heads,
    tokens: reader.size('max_position_embeddings', 77),
    activation: clipActivation(reader),
    layerNormEpsilon: reader.number('layer_norm_eps', 1e-5),
    projectionWidth: reader.size('projection_dim', 512),
    pooledToken: pooledToken(reader),
  }
}

/** Configurations before transformers 4.30 say 2, which is no end token: they were written for models that looked for the highest id. */
function pooledToken(reader: ConfigReader): number | 'highest' {
  const id = reader.number('eos_token_id', 49407)
  return id === 2 ? 'highest' : id
}
