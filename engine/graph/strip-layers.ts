import { cast, convAttributes } from './common-nodes.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import { activate, computedWeight } from './layer-context.ts'
import type { LayerContext } from './layer-context.ts'
import type { ConvWeights, FeatureLayers, FeatureMap, GroupNormOptions, NormWeights } from './layers.ts'

/** So many that a few of a map's strips are small beside the map. */
const STRIPS = 8

/** Horizontal strip of a map [rows, channels, height, width]. */
interface Strip {
  readonly value: Value
  /** float32 [1]: its part of the map's height. */
  readonly share: Value
}

/** A map that lies in strips, from its top down; it is put together where somebody asks for the whole of it. */
class StripMap implements FeatureMap {
  readonly channels: number
  readonly strips: readonly Strip[]
  readonly #graph: GraphBuilder
  #whole: Value | undefined

  constructor(graph: GraphBuilder, channels: number, strips: readonly Strip[]) {
    this.#graph = graph
    this.channels = channels
    this.strips = strips
  }

  value(): Value {
    this.#whole ??= this.#graph.node('Concat', this.strips.map(({ value }) => value), { attributes: { axis: { int: 2 } } })
    return this.#whole
  }

  /** The map that has in place of each strip what `make` gives for it. */
  map(channels: number, make: (strip: Value, index: number) => Value): StripMap {
    return new StripMap(this.#graph, channels, this.strips.map(({ value, share }, index) => ({ value: make(value, index), share })))
  }
}

/**
 * Layers of the processor over maps that `inStrips` has cut, for networks whose maps are larger than their weights: what lies
 * between two convolutions exists for a few strips at a time. Convolutions see the rows above and below a strip, norms the
 * whole map, so the numbers are those of the whole map but for the order of a norm's sums.
 *
 * @param plain layers over whole maps
 * @param stripsFrom channels from which a map is cut
 */
export function createStripLayers(context: LayerContext, plain: FeatureLayers, stripsFrom: number): Pick<FeatureLayers, 'inStrips' | 'conv' | 'groupNorm' | 'add' | 'upsample'> {
  const { graph } = context
  const whole = (value: Value, channels: number): FeatureMap => ({ channels, value: () => value })

  return {
    inStrips(map) {
      if (map.channels < stripsFrom || map instanceof StripMap) return map
      const height = heightOf(graph, map.value())
      const sizes = stripHeights(graph, height)
      const values = graph.nodes('Split', [map.value(), graph.node('Concat', sizes, { attributes: { axis: { int: 0 } } })], STRIPS, { attributes: { axis: { int: 2 } } })
      const share = (size: Value | undefined): Value => graph.node('Div', [cast(graph, size as Value, 'float32'), cast(graph, height, 'float32')])
      return new StripMap(graph, map.channels, values.map((value, index) => ({ value, share: share(sizes[index]) })))
    },

    conv(map, weights, stride = 1, padding = 'even') {
      const { name, weight, bias } = weights
      const [out = 0, , kernel = 1] = weight.shape
      if (!(map instanceof StripMap) || stride !== 1 || padding !== 'even' || kernel > 3 || context.takesLora(name)) return plain.conv(map, weights, stride, padding)
      if (kernel === 1) return map.map(out, strip => pixelProduct(context, strip, weights, map.channels))
      const parameters = [computedWeight(context, weight), ...(bias ? [computedWeight(context, bias)] : [])]
      const last = map.strips.length - 1
      return map.map(out, (_, index) => {
        const [top, bottom] = [index === 0 ? 1 : 0, index === last ? 1 : 0]
        const attributes = { ...convAttributes(kernel, 1), pads: { ints: [top, 1, bottom, 1] } }
        return graph.node('Conv', [withNeighbours(graph, map.strips, index), ...parameters], { attributes })
      })
    },

    groupNorm(map, weights, options) {
      if (!(map instanceof StripMap)) return plain.groupNorm(map, weights, options)
      const { scale, shift } = normFactors(context, map, weights, options)
      return map.map(map.channels, strip => {
        const normed = graph.node('Add', [graph.node('Mul', [strip, scale]), shift])
        return options.silu ? activate(graph, normed, 'silu') : normed
      })
    },

    add(left, right) {
      if (!(left instanceof StripMap && right instanceof StripMap)) return plain.add(left, right)
      return left.map(left.channels, (strip, index) => graph.node('Add', [strip, (right.strips[index] as Strip).value]))
    },

    upsample: map => map instanceof StripMap ? map.map(map.channels, strip => plain.upsample(whole(strip, map.channels)).value()) : plain.upsample(map),
  }
}

/** int64 [1]. */
function heightOf(graph: GraphBuilder, value: Value): Value {
  return graph.node('Shape', [value], { type: 'int64', attributes: { start: { int: 2 }, end: { int: 3 } } })
}

/** int64 [1] for each strip: as equal as can be, and none is empty where there are as many rows as strips. */
function stripHeights(graph: GraphBuilder, height: Value): readonly Value[] {
  const edge = (index: number): Value => graph.node('Div', [graph.node('Mul', [height, graph.integers(index)]), graph.integers(STRIPS)])
  const edges = [graph.integers(0), ...Array.from({ length: STRIPS - 1 }, (_, index) => edge(index + 1)), height]
  return Array.from({ length: STRIPS }, (_, index) => graph.node('Sub', [edges[index + 1] as Value, edges[index] as Value]))
}

/**
 * A convolution that looks at one pixel at a time, as a matrix product: the runtime would keep its input in the layout of its
 * convolutions beside the one that everything else takes.
 */
function pixelProduct(context: LayerContext, strip: Value, { weight, bias }: ConvWeights, inputs: number): Value {
  const { graph } = context
  const [outputs = 0] = weight.shape
  const pixels = graph.node('Reshape', [strip, graph.integers(0, inputs, -1)])
  const product = graph.node('MatMul', [computedWeight(context, weight, [outputs, inputs]), pixels])
  const sum = bias ? graph.node('Add', [product, computedWeight(context, bias, [outputs, 1])]) : product
  const size = graph.node('Shape', [strip], { type: 'int64', attributes: { start: { int: 2 } } })
  const shape = graph.node('Concat', [graph.integers(0, outputs), size], { attributes: { axis: { int: 0 } } })
  return graph.node('Reshape', [sum, shape])
}

/** A strip with the row above and the row below it, where there are such. */
function withNeighbours(graph: GraphBuilder, strips: readonly Strip[], index: number): Value {
  const row = (strip: Strip | undefined, from: number, to: number): readonly Value[] =>
    strip === undefined ? [] : [graph.node('Slice', [strip.value, graph.integers(from), graph.integers(to), graph.integers(2)])]
  const parts = [...row(strips[index - 1], -1, 2 ** 31), (strips[index] as Strip).value, ...row(strips[index + 1], 0, 1)]
  return graph.node('Concat', parts, { attributes: { axis: { int: 2 } } })
}

/** What group normalization multiplies each channel by and then adds, [rows, channels, 1, 1], with the mean and the variance of the whole map. */
function normFactors(context: LayerContext, map: StripMap, { weight, bias }: NormWeights, { groups, epsilon }: GroupNormOptions) {
  const { graph } = context
  const number = (value: number): Value => graph.constant('float32', [], [value])
  const grouped = map.strips.map(({ value, share }) => ({ share, value: graph.node('Reshape', [value, graph.integers(0, groups, -1)]) }))
  /** [rows, groups, 1]: the mean over all strips. */
  const meanOf = (values: readonly Strip[]): Value => {
    const parts = values.map(({ value, share }) => graph.node('Mul', [graph.node('ReduceMean', [value, graph.integers(2)]), share]))
    return parts.reduce((sum, part) => graph.node('Add', [sum, part]))
  }
  const mean = meanOf(grouped)
  const variance = meanOf(grouped.map(({ value, share }) => {
    const deviation = graph.node('Sub', [value, mean])
    return { share, value: graph.node('Mul', [deviation, deviation]) }
  }))
  const deviation = graph.node('Sqrt', [graph.node('Add', [variance, number(epsilon)])])
  const perGroup = [groups, map.channels / groups]
  const scale = graph.node('Div', [computedWeight(context, weight, perGroup), deviation])
  const shift = graph.node('Sub', [computedWeight(context, bias, perGroup), graph.node('Mul', [mean, scale])])
  const perChannel = (value: Value): Value => graph.node('Reshape', [value, graph.integers(0, map.channels, 1, 1)])
  return { scale: perChannel(scale), shift: perChannel(shift) }
}
