import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Value } from '../graph/graph-builder.ts'
import type { FeatureMap, Layers } from '../graph/layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { NetworkWeights } from './network-weights.ts'
import { resnet } from './resnet.ts'
import { parseVaeConfig } from './vae-config.ts'
import type { VaeConfig } from './vae-config.ts'
import { VAE_NORM_EPSILON, vaeMiddle } from './vae-middle.ts'

/** Bounds of the logarithm of a latent's variance, as the reference sets them. */
const LOG_VARIANCE = [-30, 20] as const

/**
 * The encoder of a VAE with its scaling behind: `pixels` float32 [rows, 3, height, width], -1 to 1 → `mean` and `deviation`
 * float32 [rows, channels, height / factor, width / factor], of the normal distribution whose samples are latents as the
 * UNet takes them.
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildVaeEncoder(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const settings = parseVaeConfig(config)
  const weights = new NetworkWeights(source)
  const graph = new GraphBuilder('vae_encoder')
  const { latentChannels, outChannels } = settings
  const pixels = graph.input('pixels', 'float32', ['rows', outChannels, 'height', 'width'])
  // As the decoder's: its activations leave the range of half precision.
  const layers = makeLayers(graph, pixels, lowering, 'float32')

  let map = encode(graph, layers, weights.at('encoder'), layers.features(pixels, outChannels), settings)
  if (settings.hasQuantConv) map = layers.conv(map, weights.conv('quant_conv', map.channels, map.channels, 1))
  const moments = graph.nodes('Split', [layers.toNchw(map)], 2, { attributes: { axis: { int: 1 }, num_outputs: { int: 2 } } })
  const dims = ['rows', latentChannels, 'h', 'w']
  graph.output('mean', 'float32', dims, scale(graph, moments[0] as Value, settings))
  graph.output('deviation', 'float32', dims, deviation(graph, moments[1] as Value, settings))
  return graph.build()
}

/** (latents - shift) · scaling, as the UNet's training scaled them. */
function scale(graph: GraphBuilder, latents: Value, { scalingFactor, shiftFactor }: VaeConfig): Value {
  const shifted = shiftFactor === 0 ? latents : graph.node('Sub', [latents, graph.constant('float32', [], [shiftFactor])])
  return graph.node('Mul', [shifted, graph.constant('float32', [], [scalingFactor])])
}

/** exp(log variance / 2) · scaling. */
function deviation(graph: GraphBuilder, logVariance: Value, { scalingFactor }: VaeConfig): Value {
  const number = (value: number): Value => graph.constant('float32', [], [value])
  const clamped = graph.node('Clip', [logVariance, ...LOG_VARIANCE.map(number)])
  return graph.node('Mul', [graph.node('Exp', [graph.node('Mul', [clamped, number(0.5)])]), number(scalingFactor)])
}

function encode(graph: GraphBuilder, layers: Layers, weights: NetworkWeights, pixels: FeatureMap, config: VaeConfig): FeatureMap {
  const { channels, groups, latentChannels } = config
  let map = layers.conv(pixels, weights.conv('conv_in', pixels.channels, channels[0] as number, 3))
  channels.forEach((outChannels, index) => graph.within(`down_blocks.${index}`, () => {
    const block = weights.at(`down_blocks.${index}`)
    for (let layer = 0; layer < config.layers; layer++) {
      map = resnet(layers, block.at(`resnets.${layer}`), map, { outChannels, groups, epsilon: VAE_NORM_EPSILON })
    }
    if (index === channels.length - 1) return
    map = layers.conv(map, block.conv('downsamplers.0.conv', outChannels, outChannels, 3), 2, 'end')
  }))
  map = graph.within('mid_block', () => vaeMiddle(layers, weights.at('mid_block'), map, config))
  const normed = layers.groupNorm(map, weights.norm('conv_norm_out', map.channels), { groups, epsilon: VAE_NORM_EPSILON, silu: true })
  return layers.conv(normed, weights.conv('conv_out', map.channels, 2 * latentChannels, 3))
}
