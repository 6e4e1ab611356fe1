import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Layers, Tokens } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { clipEncoderLayer } from './clip-encoder-layer.ts'
import { parseClipTextConfig } from './clip-text-config.ts'
import type { ClipTextConfig } from './clip-text-config.ts'
import { NetworkWeights } from './network-weights.ts'

/** Most layers from the end that a request may skip. */
const MAX_SKIPPED_LAYERS = 2

/**
 * CLIP's text encoder: `input_ids` int64 [rows, tokens] → `hidden_states_K` float32 [rows, tokens, width], the states
 * with the last K layers skipped, each through the final layer norm; K from 0 to 2, as far as there are layers.
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildClipText(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const settings = parseClipTextConfig(config)
  const weights = new NetworkWeights(source, 'text_model.')
  const graph = new GraphBuilder('text_encoder')
  const ids = graph.input('input_ids', 'int64', ['rows', settings.tokens])
  // Computed once a prompt: float32 everywhere, so that a prompt means the same on every device.
  const layers = makeLayers(graph, ids, lowering, 'float32')

  const states = [embed(layers, weights.at('embeddings'), ids, settings)]
  for (let index = 0; index < settings.layers; index++) {
    const name = `encoder.layers.${index}`
    states.push(graph.within(name, () => clipEncoderLayer(layers, weights.at(name), states[index] as Tokens, { ...settings, isCausal: true })))
  }
  for (let skipped = 0; skipped <= Math.min(MAX_SKIPPED_LAYERS, settings.layers); skipped++) {
    const state = states[settings.layers - skipped] as Tokens
    const normed = layers.layerNorm(state, weights.norm('final_layer_norm', settings.width), settings.layerNormEpsilon)
    graph.output(`hidden_states_${skipped}`, 'float32', ['rows', settings.tokens, settings.width], layers.fromTokens(normed))
  }
  return graph.build()
}

function embed(layers: Layers, weights: NetworkWeights, ids: Parameters<Layers['embedding']>[0], config: ClipTextConfig): Tokens {
  const picked = layers.embedding(ids, weights.tensor('token_embedding.weight', [config.vocabularySize, config.width]))
  return layers.addTable(picked, weights.tensor('position_embedding.weight', [config.tokens, config.width]))
}
