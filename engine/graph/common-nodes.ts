import { ELEMENT_CODES } from './element-type.ts'
import type { ElementType } from './element-type.ts'
import type { GraphBuilder, Value } from './graph-builder.ts'
import type { ConvPadding } from './layers.ts'

/** A value in another element type; itself where it has that type already. */
export function cast(graph: GraphBuilder, value: Value, type: ElementType): Value {
  if (value.type === type) return value
  return graph.node('Cast', [value], { type, attributes: { to: { int: ELEMENT_CODES[type] } } })
}

/** Repeats elements by whole factors along each axis. */
export function nearest(graph: GraphBuilder, value: Value, scales: Value): Value {
  return graph.node('Resize', [value, undefined, scales], {
    attributes: {
      mode: { string: 'nearest' }, coordinate_transformation_mode: { string: 'asymmetric' }, nearest_mode: { string: 'floor' },
    },
  })
}

/** -1…1 to bytes, with the steps and the rounding of diffusers' image processor: x/2 + 0.5, clamp, · 255, round half to even. */
export function imageBytes(graph: GraphBuilder, value: Value): Value {
  const number = (value: number): Value => graph.constant('float32', [], [value])
  const halved = graph.node('Mul', [cast(graph, value, 'float32'), number(0.5)])
  const shifted = graph.node('Add', [halved, number(0.5)])
  const clamped = graph.node('Clip', [shifted, number(0), number(1)])
  const rounded = graph.node('Round', [graph.node('Mul', [clamped, number(255)])])
  return cast(graph, rounded, 'uint8')
}

/** [rows, channels]: the mean over the two axes of the pixels. */
export function pixelMeans(graph: GraphBuilder, value: Value, axes: readonly [number, number]): Value {
  return graph.node('ReduceMean', [value, graph.integers(...axes)], { attributes: { keepdims: { int: 0 } } })
}

/** Attributes of a convolution. */
export function convAttributes(kernel: number, stride: number, padding: ConvPadding = 'even') {
  const pad = (kernel - 1) / 2
  const pads = padding === 'even' ? [pad, pad, pad, pad] : [0, 0, pad, pad]
  return { kernel_shape: { ints: [kernel, kernel] }, strides: { ints: [stride, stride] }, pads: { ints: pads } }
}
