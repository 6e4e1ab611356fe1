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

/**
 * The decoder of a VAE with its scaling in front and the conversion to bytes behind:
 * `latents` float32 [rows, channels, h, w], as the denoising leaves them → `image` uint8 [rows, h · factor, w · factor, 3],
 * and `image_check` float32 [rows]: 0, or not a number for a row whose pixels were not all finite (bytes cannot say so).
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildVaeDecoder(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const settings = parseVaeConfig(config)
  const weights = new NetworkWeights(source)
  const graph = new GraphBuilder('vae_decoder')
  const { latentChannels } = settings
  const latents = graph.input('latents', 'float32', ['rows', latentChannels, 'h', 'w'])
  // Activations of these decoders leave the range of half precision; one run a picture is worth float32.
  const layers = makeLayers(graph, latents, lowering, 'float32')

  let map = layers.features(unscale(graph, latents, settings), latentChannels)
  if (settings.hasPostQuantConv) map = layers.conv(map, weights.conv('post_quant_conv', latentChannels, latentChannels, 1))
  map = decode(graph, layers, weights.at('decoder'), map, settings)
  graph.output('image', 'uint8', ['rows', 'height', 'width', settings.outChannels], layers.toImage(map))
  graph.output('image_check', 'float32', ['rows'], finiteCheck(graph, layers.toNchw(map)))
  return graph.build()
}

/** latents / scaling + shift, as they were before the UNet's training scaled them. */
function unscale(graph: GraphBuilder, latents: Value, { scalingFactor, shiftFactor }: VaeConfig): Value {
  const divided = graph.node('Div', [latents, graph.constant('float32', [], [scalingFactor])])
  return shiftFactor === 0 ? divided : graph.node('Add', [divided, graph.constant('float32', [], [shiftFactor])])
}

/** The sum of 0 · x over each row: not a number as soon as one x is infinite or not a number. */
function finiteCheck(graph: GraphBuilder, pixels: Value): Value {
  const zeros = graph.node('Mul', [pixels, graph.constant('float32', [], [0])])
  return graph.node('ReduceSum', [zeros, graph.integers(1, 2, 3)], { attributes: { keepdims: { int: 0 } } })
}

function decode(graph: GraphBuilder, layers: Layers, weights: NetworkWeights, latents: FeatureMap, config: VaeConfig): FeatureMap {
  const [deepest = 0, ...shallower] = [...config.channels].reverse()
  let map = layers.conv(latents, weights.conv('conv_in', latents.channels, deepest, 3))
  map = graph.within('mid_block', () => vaeMiddle(layers, weights.at('mid_block'), map, config))
  ;[deepest, ...shallower].forEach((channels, index) => graph.within(`up_blocks.${index}`, () => {
    const block = weights.at(`up_blocks.${index}`)
    for (let layer = 0; layer <= config.layers; layer++) {
      map = resnet(layers, block.at(`resnets.${layer}`), map, { outChannels: channels, groups: config.groups, epsilon: VAE_NORM_EPSILON })
    }
    if (index === shallower.length) return
    // From half the resolution on, maps are larger than all of the weights.
    if (index >= shallower.length - 2) map = layers.inStrips(map)
    map = layers.conv(layers.upsample(map), block.conv('upsamplers.0.conv', channels, channels, 3))
  }))
  const norm = { groups: config.groups, epsilon: VAE_NORM_EPSILON, silu: true }
  const normed = layers.groupNorm(map, weights.norm('conv_norm_out', map.channels), norm)
  return layers.conv(normed, weights.conv('conv_out', map.channels, config.outChannels, 3))
}
