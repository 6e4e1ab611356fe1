import type { GraphBuilder, Value } from '../graph/graph-builder.ts'
import type { FeatureMap, Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'
import { resnet } from './resnet.ts'
import { timeEmbedding } from './time-embedding.ts'
import { transformer } from './transformer.ts'
import type { Context } from './transformer.ts'
import type { UnetEncoderConfig, UnetLevel } from './unet-config.ts'

/** The inputs of a UNet that the networks fused with it read too. */
export interface UnetInputs {
  /** float32 [rows, channels, h, w] */
  readonly sample: Value
  readonly channels: number
  /** float32 [rows] */
  readonly timestep: Value
  readonly context: Context
}

/** What every block of a UNet needs. */
export interface UnetParts<Config extends UnetEncoderConfig = UnetEncoderConfig> {
  readonly graph: GraphBuilder
  readonly layers: Layers
  readonly weights: NetworkWeights
  readonly config: Config
  readonly time: Tokens
  readonly context: Context
}

/** What the way down gives: its end, and what each step left for the way up. */
export interface EncoderMaps {
  readonly map: FeatureMap
  readonly skips: readonly FeatureMap[]
}

/** Adds the input `sample`, which layers are made for. */
export function unetSample(graph: GraphBuilder, { inChannels }: UnetEncoderConfig): Value {
  return graph.input('sample', 'float32', ['rows', inChannels, 'h', 'w'])
}

/** Adds the inputs that every row of a UNet has beside its sample: `timestep`, `encoder_hidden_states` and `encoder_attention_bias`. */
export function unetInputs(graph: GraphBuilder, layers: Layers, sample: Value, { inChannels, contextWidth }: UnetEncoderConfig): UnetInputs {
  const timestep = graph.input('timestep', 'float32', ['rows'])
  const states = graph.input('encoder_hidden_states', 'float32', ['rows', 'tokens', contextWidth])
  const bias = graph.input('encoder_attention_bias', 'float32', ['rows', 1, 1, 'tokens'])
  return { sample, channels: inChannels, timestep, context: { states: layers.tokens(states, contextWidth), mask: layers.contextMask(bias) } }
}

/** A network's parts over the inputs it may share with others. */
export function unetParts<Config extends UnetEncoderConfig>(
  graph: GraphBuilder, layers: Layers, weights: NetworkWeights, config: Config, { timestep, context }: UnetInputs,
): UnetParts<Config> {
  const time = timeEmbedding(graph, layers, weights.at('time_embedding'), timestep, {
    width: firstChannels(config), outWidth: config.timeWidth,
    isCosineFirst: config.isCosineFirst, frequencyShift: config.frequencyShift,
  })
  return { graph, layers, weights, config, time, context }
}

/** The convolution that begins the way down. */
export function inputConv({ layers, weights, config }: UnetParts, input: FeatureMap): FeatureMap {
  return layers.conv(input, weights.conv('conv_in', config.inChannels, firstChannels(config), config.inKernel))
}

/** Halves the resolution level by level; what each step gave is kept for the way up. */
export function downPath(parts: UnetParts, input: FeatureMap): EncoderMaps {
  const { graph, layers, weights, config } = parts
  let map = input
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

/** The block at the lowest resolution. */
export function middleBlock(parts: UnetParts, input: FeatureMap): FeatureMap {
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

/** A residual block and, where the level has attention, a transformer. */
export function levelLayer(parts: UnetParts, block: NetworkWeights, input: FeatureMap, level: UnetLevel, layer: number): FeatureMap {
  const map = resnet(parts.layers, block.at(`resnets.${layer}`), input, resnetOptions(parts, level))
  if (!level.hasAttention) return map
  return transformer(parts.layers, block.at(`attentions.${layer}`), map, parts.context, {
    depth: level.transformerDepth, heads: level.heads, groups: parts.config.groups, hasLinearProjection: parts.config.hasLinearProjection,
  })
}

/** Channels at the full resolution. */
export function firstChannels({ down }: UnetEncoderConfig): number {
  return (down[0] as UnetLevel).channels
}

function resnetOptions({ config, time }: UnetParts, level: UnetLevel) {
  return { outChannels: level.channels, groups: config.groups, epsilon: config.normEpsilon, time }
}
