import type { GraphBuilder, Value } from '../graph/graph-builder.ts'
import type { Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'

export interface TimeEmbeddingOptions {
  /** Numbers of the sinusoidal embedding; even. */
  readonly width: number
  readonly outWidth: number
  /** Whether the cosines come first. */
  readonly isCosineFirst: boolean
  /** Shift of the frequencies' divisor. */
  readonly frequencyShift: number
}

const MAX_PERIOD = 10000

/**
 * Sinusoids of the timestep, one row each, through two linear layers. Returns silu of the embedding, which is what every
 * residual block begins with.
 *
 * "Denoising Diffusion Probabilistic Models" (Ho et al., 2020), after "Attention Is All You Need".
 */
export function timeEmbedding(
  graph: GraphBuilder, layers: Layers, weights: NetworkWeights, timestep: Value, options: TimeEmbeddingOptions,
): Tokens {
  const { width, outWidth } = options
  const sinusoids = layers.tokens(sinusoidalEmbedding(graph, timestep, options), width)
  const hidden = layers.activation(layers.linear(sinusoids, weights.linear('linear_1', width, outWidth)), 'silu')
  return layers.activation(layers.linear(hidden, weights.linear('linear_2', outWidth, outWidth)), 'silu')
}

/** Float32 whatever the lowering: half precision does not hold timesteps apart. */
function sinusoidalEmbedding(graph: GraphBuilder, timestep: Value, { width, isCosineFirst, frequencyShift }: TimeEmbeddingOptions): Value {
  const half = width / 2
  // Each step rounded to float32, as the reference computes them: an angle is up to 1000 radians.
  const frequencies = Array.from({ length: half }, (_, index) => {
    const exponent = Math.fround(Math.fround(Math.fround(-Math.log(MAX_PERIOD)) * index) / Math.fround(half - frequencyShift))
    return Math.fround(Math.exp(exponent))
  })
  const column = graph.node('Unsqueeze', [timestep, graph.integers(1)])
  const angles = graph.node('Mul', [column, graph.constant('float32', [1, half], frequencies)])
  const [sine, cosine] = [graph.node('Sin', [angles]), graph.node('Cos', [angles])]
  return graph.node('Concat', isCosineFirst ? [cosine, sine] : [sine, cosine], { attributes: { axis: { int: -1 } } })
}
