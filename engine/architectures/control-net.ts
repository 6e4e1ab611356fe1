import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { cast } from '../graph/common-nodes.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Value } from '../graph/graph-builder.ts'
import type { FeatureMap, Layers } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { GUIDE_CHANNELS, parseControlNetConfig } from './control-net-config.ts'
import type { ControlNetConfig } from './control-net-config.ts'
import { NetworkWeights } from './network-weights.ts'
import { downPath, firstChannels, inputConv, middleBlock, projectedContext, unetInputs, unetParts, unetSample } from './unet-encoder.ts'
import type { EncoderMaps, UnetInputs, UnetParts } from './unet-encoder.ts'

/** A ControlNet's configuration and weights. */
export interface ControlNetSource {
  /** Its parsed `config.json`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly weights: WeightSource
}

/** A ControlNet that gives other maps than a UNet takes. */
export class ControlNetMisfitError extends Error {
  override readonly name = 'ControlNetMisfitError'
  /** Its place among the ControlNets of the graph. */
  readonly index: number

  constructor(index: number, problem: string) {
    super(problem)
    this.index = index
  }
}

/**
 * A ControlNet as a graph of its own: the inputs of a UNet and `control_guide_0`, `control_scale_0` (see `addControl`)
 * → `residual_0` … `residual_N` float32, what it adds to each map that the UNet keeps and, last, to the UNet's middle.
 *
 * "Adding Conditional Control to Text-to-Image Diffusion Models" (Zhang et al., 2023).
 *
 * @param config its parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildControlNet(
  config: Readonly<Record<string, unknown>>, weights: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const settings = parseControlNetConfig(config)
  const graph = new GraphBuilder('control_net')
  const sample = unetSample(graph, settings)
  const layers = makeLayers(graph, sample, lowering, 'float16')
  const inputs = unetInputs(graph, layers, sample, settings)
  const maps = controlNetMaps(graph, layers, inputs, settings, weights, 0)
  maps.forEach((map, index) => {
    if (settings.isPooled) return graph.output(`residual_${index}`, 'float32', ['rows', 1, map.channels], layers.fromTokens(layers.toMeans(map)))
    return graph.output(`residual_${index}`, 'float32', ['rows', map.channels, `h${index}`, `w${index}`], layers.toNchw(map))
  })
  return graph.build()
}

/**
 * Draws ControlNets into a UNet's graph and adds what they give to the UNet's maps. Number K from 0 adds two inputs:
 * `control_guide_K` uint8 [rows, height, width, 3], each row's guide image at the picture's size, and
 * `control_scale_K` float32 [rows, maps + 1], what its maps are multiplied with; zeros switch it off for a row.
 *
 * The guide image is embedded in every run although that does not depend on the step: it is some two hundredths of the
 * arithmetic, and the embedding is several times as large as the image that would have to be sent to the device instead.
 *
 * Throws a ControlNetMisfitError that gives the number of a ControlNet for another UNet.
 */
export function addControl(
  graph: GraphBuilder, layers: Layers, inputs: UnetInputs, controlNets: readonly ControlNetSource[], unet: EncoderMaps,
): EncoderMaps {
  let targets: readonly FeatureMap[] = [...unet.skips, unet.map]
  controlNets.forEach(({ config, weights }, index) => {
    const settings = parseControlNetConfig(config)
    checkFit(settings, inputs, index)
    const maps = controlNetMaps(graph, layers, inputs, settings, weights, index)
    if (maps.length !== targets.length || maps.some((map, place) => map.channels !== targets[place]?.channels)) {
      throw new ControlNetMisfitError(index, 'its blocks have other sizes than those of the UNet')
    }
    targets = targets.map((target, place) => {
      const map = maps[place] as FeatureMap
      return settings.isPooled ? layers.addVector(target, layers.toMeans(map)) : layers.add(target, map)
    })
  })
  return { skips: targets.slice(0, -1), map: targets.at(-1) as FeatureMap }
}

function checkFit(settings: ControlNetConfig, { contextWidth, channels, added }: UnetInputs, index: number): void {
  if (settings.contextWidth !== contextWidth) {
    throw new ControlNetMisfitError(index, `it takes prompts of width ${settings.contextWidth}, and the UNet those of width ${contextWidth}`)
  }
  if (settings.added && settings.added.width !== added?.width) {
    throw new ControlNetMisfitError(index, 'it is told of the text and the sizes in another way than the UNet')
  }
  if (settings.inChannels > channels) {
    throw new ControlNetMisfitError(index, `it takes ${settings.inChannels} channels, and the UNet ${channels}`)
  }
}

/** What a ControlNet gives, times its scales: for each map that the UNet keeps, and last for its middle. */
function controlNetMaps(
  graph: GraphBuilder, layers: Layers, inputs: UnetInputs, settings: ControlNetConfig, weights: WeightSource, index: number,
): readonly FeatureMap[] {
  return graph.within(`control_net_${index}`, () => {
    const parts = unetParts(graph, layers, new NetworkWeights(weights, '', `control_${index}.`), settings, inputs, projectedContext(layers, inputs))
    const guide = graph.input(`control_guide_${index}`, 'uint8', ['rows', 'height', 'width', GUIDE_CHANNELS])
    const input = inputConv(parts, layers.features(leadingChannels(graph, inputs, settings.inChannels), settings.inChannels))
    const { map, skips } = downPath(parts, layers.add(input, guideEmbedding(parts, guideFeatures(graph, layers, guide, settings))))
    const maps = [...skips, middleBlock(parts, map)]
    const scale = graph.input(`control_scale_${index}`, 'float32', ['rows', maps.length])
    const column = graph.node('Reshape', [scale, graph.integers(0, maps.length, 1, 1)])
    const factors = graph.nodes('Split', [column], maps.length, { attributes: { axis: { int: 1 }, num_outputs: { int: maps.length } } })
    return maps.map((each, place) => {
      const name = place === skips.length ? 'controlnet_mid_block' : `controlnet_down_blocks.${place}`
      const given = layers.conv(each, parts.weights.conv(name, each.channels, each.channels, 1))
      return layers.scale(given, factors[place] as Value)
    })
  })
}

/** The latents alone: a UNet for inpainting takes the mask and the masked picture behind them. */
function leadingChannels(graph: GraphBuilder, { sample, channels }: UnetInputs, wanted: number): Value {
  return wanted === channels ? sample : graph.node('Slice', [sample, graph.integers(0), graph.integers(wanted), graph.integers(1)])
}

/** The guide image from 0 to 1. */
function guideFeatures(graph: GraphBuilder, layers: Layers, guide: Value, { isBlueFirst }: ControlNetConfig): FeatureMap {
  const ordered = isBlueFirst ? graph.node('Gather', [guide, graph.integers(2, 1, 0)], { attributes: { axis: { int: 3 } } }) : guide
  const shares = graph.node('Div', [cast(graph, ordered, 'float32'), graph.constant('float32', [], [255])])
  return layers.features(graph.node('Transpose', [shares], { attributes: { perm: { ints: [0, 3, 1, 2] } } }), GUIDE_CHANNELS)
}

/** Takes a guide image to the size and channels of the latents' first map. */
function guideEmbedding({ layers, weights, config }: UnetParts<ControlNetConfig>, guide: FeatureMap): FeatureMap {
  const embedding = weights.at('controlnet_cond_embedding')
  const [first = 0, ...others] = config.guideChannels
  let map = layers.silu(layers.conv(guide, embedding.conv('conv_in', GUIDE_CHANNELS, first, 3)))
  others.forEach((channels, index) => {
    map = layers.silu(layers.conv(map, embedding.conv(`blocks.${2 * index}`, map.channels, map.channels, 3)))
    map = layers.silu(layers.conv(map, embedding.conv(`blocks.${2 * index + 1}`, map.channels, channels, 3), 2))
  })
  return layers.conv(map, embedding.conv('conv_out', map.channels, firstChannels(config), 3))
}
