import type { GraphBuilder, Value } from '../graph/graph-builder.ts'
import type { Layers, Tokens } from '../graph/layers.ts'
import type { NetworkWeights } from './network-weights.ts'

export interface SinusoidOptions {
  /** Numbers of the sinusoidal embedding; even. */
  readonly width: number
  /** Whether the cosines come first. */
  readonly isCosineFirst: boolean
  /** Shift of the frequencies' divisor. */
  readonly frequencyShift: number
}

const MAX_PERIOD = 10000

/** Numbers of a row through two linear layers, to what the UNet's blocks are told of the timestep and more. */
export function embedding(layers: Layers, weights: NetworkWeights, numbers: Tokens, outWidth: number): Tokens {
  const hidden = layers.activation(layers.linear(numbers, weights.linear('linear_1', numbers.width, outWidth)), 'silu')
  return layers.linear(hidden, weights.linear('linear_2', outWidth, outWidth))
}

/**
 * Sines and cosines of one number a row, float32 [count, width] for float32 [count].
 * Float32 whatever the lowering: half precision does not hold timesteps apart.
 *
 * "Denoising Diffusion Probabilistic Models" (Ho et al., 2020), after "Attention Is All You Need".
 */
export function sinusoids(graph: GraphBuilder, numbers: Value, { width, isCosineFirst, frequencyShift }: SinusoidOptions): Value {
  const half = width / 2
  // Each step rounded to float32, as the reference computes them: an angle is up to 1000 radians.
  const frequencies = Array.from({ length: half }, (_, index) => {
    const exponent = Math.fround(Math.fround(Math.fround(-Math.log(MAX_PERIOD)) * index) / Math.fround(half - frequencyShift))
    return Math.fround(Math.exp(exponent))
  })
  const column = graph.node('Unsqueeze', [numbers, graph.integers(1)])
  const angles = graph.node('Mul', [column, graph.constant('float32', [1, half], frequencies)])
  const [sine, cosine] = [graph.node('Sin', [angles]), graph.node('Cos', [angles])]
  return graph.node('Concat', isCosineFirst ? [cosine, sine] : [sine, cosine], { attributes: { axis: { int: -1 } } })
}
