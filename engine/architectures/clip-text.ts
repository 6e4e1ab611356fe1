import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { cast } from '../graph/common-nodes.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Value } from '../graph/graph-builder.ts'
import type { Layers, Tokens } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { clipEncoderLayer } from './clip-encoder-layer.ts'
import { parseClipTextConfig } from './clip-text-config.ts'
import type { ClipTextConfig } from './clip-text-config.ts'
import { NetworkWeights } from './network-weights.ts'

/** Most layers from the end that a request may skip. */
const MAX_SKIPPED_LAYERS = 2

/** What a family takes of a text encoder. */
export interface ClipTextOutputs {
  /** Layers from the end that the model itself skips; what a request skips comes on top. */
  readonly skippedLayers: number
  /** Whether the states go through the final layer norm. */
  readonly hasFinalNorm: boolean
  /** Whether it takes the whole text as one projected vector too. */
  readonly hasTextEmbeds: boolean
}

/** SD 1.x and SD 2.x: the last states, normed. (SD 2.x leaves the last layer out of the file.) */
export const LAST_STATES: ClipTextOutputs = { skippedLayers: 0, hasFinalNorm: true, hasTextEmbeds: false }
/** SDXL's first text encoder: the states before the last layer, as they are. */
export const PENULTIMATE_STATES: ClipTextOutputs = { skippedLayers: 1, hasFinalNorm: false, hasTextEmbeds: false }
/** SDXL's second text encoder gives the whole text as a vector besides. */
export const PENULTIMATE_STATES_AND_TEXT: ClipTextOutputs = { ...PENULTIMATE_STATES, hasTextEmbeds: true }

/**
 * CLIP's text encoder: `input_ids` int64 [rows, tokens], `attention_bias` float32 [rows, 1, 1, tokens] (0, or a large
 * negative number for tokens that no other may look at), `vector_ids` int64 [rows, tokens] (0, or which of `vectors` stands in
 * the token's place) and `vectors` float32 [vectors, width], of which the first is never used
 * → `hidden_states_K` float32 [rows, tokens, width], the states the family takes with K more layers skipped, K from 0 to 2
 * as far as there are layers; where the family takes it, `text_embeds` float32 [rows, projection width], the end token's
 * last state, normed and projected.
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 * @param wanted what the family takes
 */
export function buildClipText(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
  wanted: ClipTextOutputs = LAST_STATES,
): ModelGraph {
  const settings = parseClipTextConfig(config)
  const weights = new NetworkWeights(source, 'text_model.')
  const graph = new GraphBuilder('text_encoder')
  const ids = graph.input('input_ids', 'int64', ['rows', settings.tokens])
  // Computed once a prompt: float32 everywhere, so that a prompt means the same on every device.
  const layers = makeLayers(graph, ids, lowering, 'float32')

  const mask = layers.contextMask(graph.input('attention_bias', 'float32', ['rows', 1, 1, settings.tokens]))

  const states = [embed(graph, layers, weights.at('embeddings'), ids, settings)]
  for (let index = 0; index < settings.layers; index++) {
    const name = `encoder.layers.${index}`
    states.push(graph.within(name, () => clipEncoderLayer(layers, weights.at(name), states[index] as Tokens, { ...settings, isCausal: true, mask })))
  }
  // Asked for even where nothing takes it: the file has it. The graph leaves out what no output needs.
  const finalNormWeights = weights.norm('final_layer_norm', settings.width)
  const finalNorm = (tokens: Tokens): Tokens => layers.layerNorm(tokens, finalNormWeights, settings.layerNormEpsilon)
  const last = settings.layers - wanted.skippedLayers
  for (let skipped = 0; skipped <= Math.min(MAX_SKIPPED_LAYERS, last); skipped++) {
    const state = states[last - skipped] as Tokens
    const taken = layers.fromTokens(wanted.hasFinalNorm ? finalNorm(state) : state)
    graph.output(`hidden_states_${skipped}`, 'float32', ['rows', settings.tokens, settings.width], taken)
  }
  if (wanted.hasTextEmbeds) {
    const pooled = finalNorm(layers.pick(states.at(-1) as Tokens, pooledPlaces(graph, ids, settings)))
    const projected = layers.linear(pooled, new NetworkWeights(source).matrix('text_projection', settings.width, settings.projectionWidth))
    graph.output('text_embeds', 'float32', ['rows', settings.projectionWidth], cast(graph, projected.value, 'float32'))
  }
  return graph.build()
}

/** int64 [rows, 1]: where each row's end token is. In float32, because CUDA's ArgMax knows no whole numbers. */
function pooledPlaces(graph: GraphBuilder, ids: Value, { pooledToken }: ClipTextConfig): Value {
  const score = pooledToken === 'highest' ? ids : graph.node('Equal', [ids, graph.constant('int64', [], [pooledToken])], { type: 'bool' })
  return graph.node('ArgMax', [cast(graph, score, 'float32')], { type: 'int64', attributes: { axis: { int: 1 }, keepdims: { int: 1 } } })
}

function embed(graph: GraphBuilder, layers: Layers, weights: NetworkWeights, ids: Value, config: ClipTextConfig): Tokens {
  const { tokens, width } = config
  const own = layers.embedding(ids, weights.tensor('token_embedding.weight', [config.vocabularySize, width]))
  // Learnt vectors are looked up in a table of their own: the vocabulary's stays in its file.
  const vectorIds = graph.input('vector_ids', 'int64', ['rows', tokens])
  const vectors = graph.input('vectors', 'float32', ['vectors', width])
  const learnt = layers.tokens(graph.node('Gather', [vectors, vectorIds]), width)
  const isLearnt = graph.node('Greater', [vectorIds, graph.constant('int64', [], [0])], { type: 'bool' })
  const perToken = graph.node('Reshape', [isLearnt, graph.integers(-1, 1)])
  const picked = { value: graph.node('Where', [perToken, learnt.value, own.value], { type: own.value.type }), width }
  return layers.addTable(picked, weights.tensor('position_embedding.weight', [tokens, width]))
}
