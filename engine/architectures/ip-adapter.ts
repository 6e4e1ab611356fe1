import type { GraphBuilder } from '../graph/graph-builder.ts'
import type { Layers, Tokens } from '../graph/layers.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { crossAttentions } from './cross-attentions.ts'
import { NetworkWeights } from './network-weights.ts'
import type { ContextAttention } from './transformer.ts'
import type { UnetConfig } from './unet-config.ts'

/** What of an IP-Adapter is drawn into a UNet. */
export interface IpAdapterSource {
  /** Tokens of one guide image. */
  readonly tokens: number
  /** Width of those tokens. */
  readonly width: number
  /** The adapter's `ip_adapter`. */
  readonly weights: WeightSource
}

/** An IP-Adapter for another UNet. */
export class IpAdapterMisfitError extends Error {
  override readonly name = 'IpAdapterMisfitError'
  /** Its place among the IP-Adapters of the graph. */
  readonly index: number

  constructor(index: number, problem: string) {
    super(problem)
    this.index = index
  }
}

/**
 * Draws IP-Adapters into a UNet's attention to its context: the same queries look at a guide image's tokens, with keys and values
 * of the adapter's own, and what they find is added. Number K from 0 adds two inputs: `image_states_K` float32
 * [rows, tokens, width] and `image_scale_K` float32 [rows], what the adapter's part is multiplied with; zero switches it off.
 *
 * Throws an IpAdapterMisfitError that gives the number of an IP-Adapter for another UNet.
 */
export function imageAttention(
  graph: GraphBuilder, layers: Layers, config: UnetConfig, adapters: readonly IpAdapterSource[],
): ContextAttention | undefined {
  if (adapters.length === 0) return undefined
  const numbers = new Map(crossAttentions(config).map(({ name }, place) => [name, 2 * place + 1]))
  const guides = adapters.map(({ tokens, width, weights }, index) => {
    if (width !== config.contextWidth) {
      throw new IpAdapterMisfitError(index, `it gives tokens of width ${width}, and the UNet takes those of width ${config.contextWidth}`)
    }
    if (weights.has(`${2 * numbers.size + 1}.to_k_ip.weight`) || !weights.has(`${2 * numbers.size - 1}.to_k_ip.weight`)) {
      throw new IpAdapterMisfitError(index, `it is for a UNet of another number of attention blocks than ${numbers.size}`)
    }
    return {
      states: layers.tokens(graph.input(`image_states_${index}`, 'float32', ['rows', tokens, width]), width),
      scale: graph.input(`image_scale_${index}`, 'float32', ['rows']),
      weights: new NetworkWeights(weights),
    }
  })
  return ({ name, query, heads }, attended) => guides.reduce<Tokens>((sum, { states, scale, weights }) => {
    const own = weights.at(String(numbers.get(name)))
    const found = layers.attention({
      query,
      key: layers.linear(states, own.matrix('to_k_ip', states.width, query.width)),
      value: layers.linear(states, own.matrix('to_v_ip', states.width, query.width)),
      heads,
    })
    return layers.addTokens(sum, layers.scaleTokens(found, scale))
  }, attended)
}
