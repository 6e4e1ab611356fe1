import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Lowering, ModelGraph, TensorSpec } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { crossAttentions } from './cross-attentions.ts'
import { NetworkWeights } from './network-weights.ts'
import { projectStates } from './transformer.ts'
import type { KeysAndValues } from './transformer.ts'
import { parseUnetConfig } from './unet-config.ts'

/**
 * What a UNet's attentions to the context make of a prompt, which is the same in all steps, as a graph of its own:
 * `encoder_hidden_states` float32 [rows, tokens, width] → what `keysAndValuesTensors` names for each attention.
 *
 * Undefined where the lowering, or a network without such attention, has nothing of the kind: all of the UNet's weights are
 * in its own graph then.
 *
 * @param config the UNet's parsed `config.json`; a ConfigError names a value that is not supported
 * @param source the UNet's weights
 * @param makeLayers for tests of a lowering
 */
export function buildPromptProjection(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph | undefined {
  const settings = parseUnetConfig(config)
  const attentions = crossAttentions(settings)
  const graph = new GraphBuilder('prompt_projection')
  const input = graph.input('encoder_hidden_states', 'float32', ['rows', 'tokens', settings.contextWidth])
  const layers = makeLayers(graph, input, lowering, 'float16')
  if (!layers.takesKeysAndValues || attentions.length === 0) return undefined
  const states = layers.tokens(input, settings.contextWidth)
  const weights = new NetworkWeights(source)
  for (const { name, width, heads } of attentions) {
    const { key, value } = graph.within(name, () => projectStates(layers, weights.at(name), states, width))
    const [keys, values] = keysAndValuesTensors(name, width, heads)
    graph.output(keys.name, keys.dtype, keys.dims, layers.splitHeads(key, heads))
    graph.output(values.name, values.dtype, values.dims, layers.splitHeads(value, heads))
  }
  return graph.build()
}

/** An attention's keys and values as inputs of its network's graph. */
export function keysAndValuesInputs(graph: GraphBuilder, name: string, width: number, heads: number): KeysAndValues {
  const [keys, values] = keysAndValuesTensors(name, width, heads)
  return { key: { byHead: graph.input(keys.name, keys.dtype, keys.dims) }, value: { byHead: graph.input(values.name, values.dtype, values.dims) } }
}

/** Those of an attention, as one graph gives and another takes them: `NAME.keys` and `NAME.values` float32 [rows, heads, tokens, width of a head]. */
function keysAndValuesTensors(name: string, width: number, heads: number): readonly [TensorSpec, TensorSpec] {
  const dims = ['rows', heads, 'tokens', width / heads]
  return [{ name: `${name}.keys`, dtype: 'float32', dims }, { name: `${name}.values`, dtype: 'float32', dims }]
}
