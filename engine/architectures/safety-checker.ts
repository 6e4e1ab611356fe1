import { createLayers } from '../graph/create-layers.ts'
import type { LayersFactory } from '../graph/create-layers.ts'
import { cast } from '../graph/common-nodes.ts'
import { GraphBuilder } from '../graph/graph-builder.ts'
import type { Value } from '../graph/graph-builder.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { WeightSource } from '../weights/weight-source.ts'
import { clipVision } from './clip-vision.ts'
import { parseClipVisionConfig } from './clip-vision-config.ts'
import type { ClipVisionConfig } from './clip-vision-config.ts'
import { ConfigReader } from './config-reader.ts'
import { NetworkWeights } from './network-weights.ts'

/** What a safety checker's `config.json` says. */
export interface SafetyCheckerConfig {
  readonly vision: ClipVisionConfig
  /** Width of the vectors that pictures and concepts are compared by. */
  readonly projectionWidth: number
}

/** Concepts that flag a picture, and those that make the others count more; the published architecture has no key for them. */
const CONCEPTS = 17
const SPECIAL_CONCEPTS = 3
/** Added to each concept's score when one of the special ones is seen. */
const ADJUSTMENT = 0.01
/** Scores are rounded to thousandths before they are compared with 0. */
const SCORE_STEPS = 1000
const SHORTEST_LENGTH = 1e-12

/** Reads the `config.json` of a `StableDiffusionSafetyChecker`. Throws a ConfigError that names the key. */
export function parseSafetyCheckerConfig(config: Readonly<Record<string, unknown>>): SafetyCheckerConfig {
  const reader = new ConfigReader('safety_checker', config)
  const vision = reader.object('vision_config')
  return { vision: parseClipVisionConfig('safety_checker.vision_config', vision), projectionWidth: reader.size('projection_dim', 512) }
}

/**
 * Stable Diffusion's safety checker: `pixel_values` float32 [rows, 3, size, size], as CLIP wants them → `flag` float32 [rows]:
 * 1 for a picture that is like one of the concepts the checker knows, 0 for one that is not, and not a number for one whose
 * likeness is none (a comparison alone would let such a picture pass).
 *
 * @param config the component's parsed `config.json`; a ConfigError names a value that is not supported
 * @param makeLayers for tests of a lowering
 */
export function buildSafetyChecker(
  config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers: LayersFactory = createLayers,
): ModelGraph {
  const { vision, projectionWidth } = parseSafetyCheckerConfig(config)
  const weights = new NetworkWeights(source)
  const graph = new GraphBuilder('safety_checker')
  const pixels = graph.input('pixel_values', 'float32', ['rows', 3, vision.imageSize, vision.imageSize])
  // Thresholds lie thousandths apart, and it runs once a picture: float32 everywhere.
  const layers = makeLayers(graph, pixels, lowering, 'float32')

  const { pooled } = clipVision(graph, layers, weights.at('vision_model'), pixels, vision)
  const embeds = layers.linear(pooled, weights.matrix('visual_projection', vision.width, projectionWidth)).value
  const special = scores(graph, embeds, weights, 'special_care_embeds', [SPECIAL_CONCEPTS, projectionWidth])
  const isSpecial = largest(graph, isAboveZero(graph, special))
  const adjustment = graph.node('Mul', [isSpecial, graph.constant('float32', [], [ADJUSTMENT])])
  const adjusted = graph.node('Add', [scores(graph, embeds, weights, 'concept_embeds', [CONCEPTS, projectionWidth]), adjustment])
  const flag = graph.node('Squeeze', [largest(graph, isAboveZero(graph, adjusted)), graph.integers(1)])
  graph.output('flag', 'float32', ['rows'], graph.node('Add', [flag, notANumberCheck(graph, special, adjusted)]))
  return graph.build()
}

/** [rows, concepts]: the cosine between each row's vector and each concept's, less the concept's threshold. */
function scores(graph: GraphBuilder, embeds: Value, weights: NetworkWeights, name: string, shape: readonly [number, number]): Value {
  const concepts = cast(graph, graph.weight(weights.tensor(name, shape)), 'float32')
  const thresholds = cast(graph, graph.weight(weights.tensor(`${name}_weights`, [shape[0]])), 'float32')
  const inputs = [normalize(graph, embeds), normalize(graph, concepts)]
  const cosines = graph.node('Gemm', inputs, { attributes: { transB: { int: 1 } } })
  return graph.node('Sub', [cosines, thresholds])
}

/** Each row divided by its length. */
function normalize(graph: GraphBuilder, rows: Value): Value {
  const length = graph.node('ReduceL2', [rows, graph.integers(1)], { attributes: { keepdims: { int: 1 } } })
  return graph.node('Div', [rows, graph.node('Max', [length, graph.constant('float32', [], [SHORTEST_LENGTH])])])
}

/** 1 where a score is above 0 once rounded half to even, else 0. */
function isAboveZero(graph: GraphBuilder, values: Value): Value {
  const rounded = graph.node('Round', [graph.node('Mul', [values, graph.constant('float32', [], [SCORE_STEPS])])])
  return cast(graph, graph.node('Greater', [rounded, graph.constant('float32', [], [0])], { type: 'bool' }), 'float32')
}

function largest(graph: GraphBuilder, values: Value): Value {
  return graph.node('ReduceMax', [values, graph.integers(1)], { attributes: { keepdims: { int: 1 } } })
}

/** [rows]: the sum of 0 · x, which is not a number as soon as one x is infinite or not a number. */
function notANumberCheck(graph: GraphBuilder, ...scores: readonly [Value, Value]): Value {
  const all = graph.node('Concat', scores, { attributes: { axis: { int: 1 } } })
  const zeros = graph.node('Mul', [all, graph.constant('float32', [], [0])])
  return graph.node('ReduceSum', [zeros, graph.integers(1)], { attributes: { keepdims: { int: 0 } } })
}
