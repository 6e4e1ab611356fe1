import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { FeatureMap, Layers, Tokens } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { NetworkWeights } from './network-weights.ts'
import { resnet } from './resnet.ts'
import { timeEmbedding } from './time-embedding.ts'
import { transformer } from './transformer.ts'
import type { Context } from './transformer.ts'
import { parseUnetConfig } from './unet-config.ts'
import type { UnetConfig, UnetLevel } from './unet-config.ts'

/** What every block of a UNet needs. */
interface UnetParts {
  readonly graph: GraphBuilder
  readonly layers: Layers
  readonly weights: NetworkWeights
  readonly config: UnetConfig
  readonly time: Tokens
  readonly context: Context
}

/**
 * The denoising network of the SD 1.x and 2.x families and of any configuration of that shape.
 *
 * `sample` float32 [rows, channels, h, w], `timestep` float32 [rows], `encoder_hidden_states` float32 [rows, tokens, width],
 * `encoder_attention_bias` float32 [rows, 1, 1, tokens] → `out_sample` float32 [rows, channels, h, w].
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildUnet(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const settings = parseUnetConfig(config)
  const weights = new NetworkWeights(source)
  const graph = new GraphBuilder('unet')
  const sample = graph.input('sample', 'float32', ['rows', settings.inChannels, 'h', 'w'])
  const timestep = graph.input('timestep', 'float32', ['rows'])
  const states = graph.input('encoder_hidden_states', 'float32', ['rows', 'tokens', settings.contextWidth])
  const bias = graph.input('encoder_attention_bias', 'float32', ['rows', 1, 1, 'tokens'])
  const layers = makeLayers(graph, sample, lowering, 'float16')

  const parts: UnetParts = {
    graph, layers, weights, config: settings,
    time: timeEmbedding(graph, layers, weights.at('time_embedding'), timestep, {
      width: firstChannels(settings), outWidth: settings.timeWidth,
      isCosineFirst: settings.isCosineFirst, frequencyShift: settings.frequencyShift,
    }),
    context: { states: layers.tokens(states, settings.contextWidth), mask: layers.contextMask(bias) },
  }
  const { map, skips } = downPath(parts, layers.features(sample, settings.inChannels))
  const out = outputLayers(parts, upPath(parts, middleBlock(parts, map), skips))
  graph.output('out_sample', 'float32', ['rows', settings.outChannels, 'h', 'w'], layers.toNchw(out))
  return graph.build()
}

/** Halves the resolution level by level; what each step gave is kept for the way up. */
function downPath(parts: UnetParts, input: FeatureMap): { map: FeatureMap; skips: FeatureMap[] } {
  const { graph, layers, weights, config } = parts
  let map = layers.conv(input, weights.conv('conv_in', config.inChannels, firstChannels(config), config.inKernel))
  const skips = [map]
  config.down.forEach((level, index) => graph.within(`down_blocks.${index}`, () => {
    const block = weights.at(`down_blocks.${index}`)
    for (let layer = 0; layer < level.layers; layer++) {
      map = levelLayer(parts, block, map, level, layer)
      skips.push(map)
    }
    if (index === config.down.length - 1) return
    map = layers.conv(map, block.conv('downsamplers.0.conv', level.channels, level.channels, 3), 2)
    skips.push(map)
  }))
  return { map, skips }
}

function middleBlock(parts: UnetParts, input: FeatureMap): FeatureMap {
  const { graph, layers, weights, config } = parts
  const { middle } = config
  if (!middle) return input
  return graph.within('mid_block', () => {
    const block = weights.at('mid_block')
    const map = levelLayer(parts, block, input, middle, 0)
    // A middle without attention is one residual block, not two.
    return middle.hasAttention ? resnet(layers, block.at('resnets.1'), map, resnetOptions(parts, middle)) : map
  })
}

/** Doubles the resolution level by level; each step sees what the way down gave at its place. */
function upPath(parts: UnetParts, input: FeatureMap, skips: FeatureMap[]): FeatureMap {
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

/** A residual block and, where the level has attention, a transformer. */
function levelLayer(parts: UnetParts, block: NetworkWeights, input: FeatureMap, level: UnetLevel, layer: number): FeatureMap {
  const map = resnet(parts.layers, block.at(`resnets.${layer}`), input, resnetOptions(parts, level))
  if (!level.hasAttention) return map
  return transformer(parts.layers, block.at(`attentions.${layer}`), map, parts.context, {
    depth: level.transformerDepth, heads: level.heads, groups: parts.config.groups, hasLinearProjection: parts.config.hasLinearProjection,
  })
}

function outputLayers({ layers, weights, config }: UnetParts, map: FeatureMap): FeatureMap {
  const norm = { groups: config.groups, epsilon: config.normEpsilon, silu: true }
  const normed = layers.groupNorm(map, weights.norm('conv_norm_out', map.channels), norm)
  return layers.conv(normed, weights.conv('conv_out', map.channels, config.outChannels, config.outKernel))
}

function resnetOptions({ config, time }: UnetParts, level: UnetLevel) {
  return { outChannels: level.channels, groups: config.groups, epsilon: config.normEpsilon, time }
}

function firstChannels(config: UnetConfig): number {
  return (config.down[0] as UnetLevel).channels
}
