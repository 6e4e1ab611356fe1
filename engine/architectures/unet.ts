import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { FeatureMap } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { addControl } from './control-net.ts'
import type { ControlNetSource } from './control-net.ts'
import { imageAttention } from './ip-adapter.ts'
import type { IpAdapterSource } from './ip-adapter.ts'
import { NetworkWeights } from './network-weights.ts'
import { keysAndValuesInputs } from './prompt-projection.ts'
import type { Context } from './transformer.ts'
import { downPath, inputConv, levelLayer, middleBlock, projectedContext, unetInputs, unetParts, unetSample } from './unet-encoder.ts'
import type { UnetInputs, UnetParts } from './unet-encoder.ts'
import { parseUnetConfig } from './unet-config.ts'
import type { UnetConfig } from './unet-config.ts'

/**
 * The denoising network of the SD 1.x, 2.x and SDXL families and of any configuration of that shape.
 *
 * `sample` float32 [rows, channels, h, w], `timestep` float32 [rows], `encoder_attention_bias` float32 [rows, 1, 1, tokens], what
 * `buildPromptProjection` gives, and with SDXL `text_embeds` float32 [rows, text width] and `time_ids` float32 [rows, ids]
 * → `out_sample` float32 [rows, channels, h, w]. Where there is no such projection `encoder_hidden_states` float32
 * [rows, tokens, width] stands in its place, and ControlNets take it everywhere.
 *
 * ControlNets are drawn into the same graph, so that what they give the UNet never leaves the device; each adds the
 * inputs that `addControl` names. So are IP-Adapters, each with the inputs that `imageAttention` names; ControlNets do not see
 * their images. Without any the graph is the plain one.
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildUnet(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
  controlNets: readonly ControlNetSource[] = [], ipAdapters: readonly IpAdapterSource[] = [],
): ModelGraph {
  const settings = parseUnetConfig(config)
  const graph = new GraphBuilder('unet')
  const sample = unetSample(graph, settings)
  const layers = makeLayers(graph, sample, lowering, 'float16')
  const inputs = unetInputs(graph, layers, sample, settings)
  const beside = imageAttention(graph, layers, settings, ipAdapters)
  const context = layers.takesKeysAndValues ? givenContext(graph, inputs) : projectedContext(layers, inputs)
  const parts = unetParts(graph, layers, new NetworkWeights(source), settings, inputs, { ...context, beside })

  const { map, skips } = downPath(parts, inputConv(parts, layers.features(sample, settings.inChannels)))
  const middle = middleBlock(parts, map)
  const controlled = addControl(graph, layers, inputs, controlNets, { map: middle, skips })
  const out = outputLayers(parts, upPath(parts, controlled.map, [...controlled.skips]))
  graph.output('out_sample', 'float32', ['rows', settings.outChannels, 'h', 'w'], layers.toNchw(out))
  return graph.build()
}

/** A context whose keys and values are inputs. */
function givenContext(graph: GraphBuilder, { mask }: UnetInputs): Context {
  return { mask, look: ({ name }, width, heads) => keysAndValuesInputs(graph, name, width, heads) }
}

/** Doubles the resolution level by level; each step sees what the way down gave at its place. */
function upPath(parts: UnetParts<UnetConfig>, input: FeatureMap, skips: FeatureMap[]): FeatureMap {
  const { graph, layers, weights, config } = parts
  let map = input
  config.up.forEach((level, index) => graph.within(`up_blocks.${index}`, () => {
    const block = weights.at(`up_blocks.${index}`)
    for (let layer = 0; layer <= level.layers; layer++) {
      map = levelLayer(parts, block, layers.concat(map, skips.pop() as FeatureMap), level, layer)
    }
    if (index === config.up.length - 1) return
    map = layers.conv(layers.upsample(map), block.conv('upsamplers.0.conv', level.channels, level.channels, 3))
  }))
  return map
}

function outputLayers({ layers, weights, config }: UnetParts<UnetConfig>, map: FeatureMap): FeatureMap {
  const norm = { groups: config.groups, epsilon: config.normEpsilon, silu: true }
  const normed = layers.groupNorm(map, weights.norm('conv_norm_out', map.channels), norm)
  return layers.conv(normed, weights.conv('conv_out', map.channels, config.outChannels, config.outKernel))
}
