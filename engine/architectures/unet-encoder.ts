import type { GraphBuilder, Value } from '../graph/graph-builder.ts'
import type { ContextMask, FeatureMap, Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'
import { resnet } from './resnet.ts'
import { embedding, sinusoids } from './time-embedding.ts'
import { projectStates, transformer } from './transformer.ts'
import type { Context } from './transformer.ts'
import type { AddedConditions, UnetEncoderConfig, UnetLevel } from './unet-config.ts'

/** The inputs of a UNet that the networks fused with it read too. */
export interface UnetInputs {
  /** float32 [rows, channels, h, w] */
  readonly sample: Value
  readonly channels: number
  /** float32 [rows] */
  readonly timestep: Value
  /** The prompts' states; the graph has that input only where something asks for them. */
  readonly states: () => Tokens
  readonly contextWidth: number
  readonly mask: ContextMask
  /** Present where the network is told these too. */
  readonly added?: { readonly textEmbeds: Value; readonly timeIds: Value; readonly width: number }
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

/**
 * Adds the inputs that every row of a UNet has beside its sample: `timestep` and `encoder_attention_bias`, and where the network
 * takes them `text_embeds` and `time_ids`; `encoder_hidden_states` where something makes keys and values of them.
 */
export function unetInputs(graph: GraphBuilder, layers: Layers, sample: Value, config: UnetEncoderConfig): UnetInputs {
  const { inChannels, contextWidth } = config
  const timestep = graph.input('timestep', 'float32', ['rows'])
  let known: Tokens | undefined
  const states = (): Tokens => (known ??= layers.tokens(graph.input('encoder_hidden_states', 'float32', ['rows', 'tokens', contextWidth]), contextWidth))
  const mask = layers.contextMask(graph.input('encoder_attention_bias', 'float32', ['rows', 1, 1, 'tokens']))
  return { sample, channels: inChannels, timestep, states, contextWidth, mask, ...(config.added && { added: addedInputs(graph, config.added) }) }
}

/** A context of which every run makes the keys and values. */
export function projectedContext(layers: Layers, { states, mask }: UnetInputs): Context {
  return { mask, look: (weights, width) => projectStates(layers, weights, states(), width) }
}

function addedInputs(graph: GraphBuilder, { width }: AddedConditions): Required<UnetInputs>['added'] {
  return {
    width,
    textEmbeds: graph.input('text_embeds', 'float32', ['rows', 'text_width']),
    timeIds: graph.input('time_ids', 'float32', ['rows', 'time_ids']),
  }
}

/** A network's parts over the inputs it may share with others. */
export function unetParts<Config extends UnetEncoderConfig>(
  graph: GraphBuilder, layers: Layers, weights: NetworkWeights, config: Config, inputs: UnetInputs, context: Context,
): UnetParts<Config> {
  return { graph, layers, weights, config, time: condition(graph, layers, weights, config, inputs), context }
}

/** silu of what is told of the timestep, the whole text and the sizes, which is what every residual block begins with. */
function condition(
  graph: GraphBuilder, layers: Layers, weights: NetworkWeights, config: UnetEncoderConfig, { timestep, added: inputs }: UnetInputs,
): Tokens {
  const { timeWidth, isCosineFirst, frequencyShift, added } = config
  const width = firstChannels(config)
  const steps = layers.tokens(sinusoids(graph, timestep, { width, isCosineFirst, frequencyShift }), width)
  const time = embedding(layers, weights.at('time_embedding'), steps, timeWidth)
  if (!added || !inputs) return layers.activation(time, 'silu')

  const { textEmbeds, timeIds } = inputs
  const numbers = sinusoids(graph, graph.node('Reshape', [timeIds, graph.integers(-1)]), { width: added.numberWidth, isCosineFirst, frequencyShift })
  const rows = graph.node('Shape', [textEmbeds], { type: 'int64', attributes: { start: { int: 0 }, end: { int: 1 } } })
  const shape = graph.node('Concat', [rows, graph.integers(-1)], { attributes: { axis: { int: 0 } } })
  const joined = graph.node('Concat', [textEmbeds, graph.node('Reshape', [numbers, shape])], { attributes: { axis: { int: 1 } } })
  const told = embedding(layers, weights.at('add_embedding'), layers.tokens(joined, added.width), timeWidth)
  return layers.activation(layers.addTokens(time, told), 'silu')
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
