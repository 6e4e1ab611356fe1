import { ELEMENT_CODES } from './element-type.ts'
import type { ElementType } from './element-type.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** Value of a node's attribute; ONNX tells integers from floats, JavaScript does not. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }

export interface OnnxNode {
  readonly operator: string
  /** Empty for the standard operators. */
  readonly domain: string
  readonly name: string
  /** An empty string leaves an optional input out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

/** A constant tensor: its bytes are in the model, or lie in a file beside it. */
export interface OnnxInitializer {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly data: Uint8Array | ExternalData
}

/** A byte range of a file; the file name is relative to a folder the runtime is told. */
export interface ExternalData {
  readonly location: string
  readonly offset: number
  readonly byteLength: number
}

/** A graph's input or output; a string is a dimension known only at run time. */
export interface OnnxValueInfo {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly (number | string)[]
}

export interface OnnxModel {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxInitializer[]
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
}

const IR_VERSION = 10
/** First with the GroupNormalization that takes one scale a channel. */
const OPSET = 21
/** Domain of the operators that ONNX Runtime adds to the standard. */
export const MICROSOFT_DOMAIN = 'com.microsoft'
const MICROSOFT_OPSET = 1

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const
const EXTERNAL = 1

/** Serialises a model; the field numbers are those of onnx.proto. */
export function encodeOnnxModel(model: OnnxModel): Uint8Array {
  return new ProtobufWriter()
    .integer(1, IR_VERSION)
    .string(2, 'latentd')
    .message(7, encodeGraph(model))
    .message(8, new ProtobufWriter().string(1, '').integer(2, OPSET))
    .message(8, new ProtobufWriter().string(1, MICROSOFT_DOMAIN).integer(2, MICROSOFT_OPSET))
    .finish()
}

function encodeGraph(model: OnnxModel): ProtobufWriter {
  const writer = new ProtobufWriter()
  for (const node of model.nodes) writer.message(1, encodeNode(node))
  writer.string(2, model.name)
  for (const initializer of model.initializers) writer.message(5, encodeInitializer(initializer))
  for (const input of model.inputs) writer.message(11, encodeValueInfo(input))
  for (const output of model.outputs) writer.message(12, encodeValueInfo(output))
  return writer
}

function encodeNode(node: OnnxNode): ProtobufWriter {
  const writer = new ProtobufWriter()
  for (const input of node.inputs) writer.string(1, input)
  for (const output of node.outputs) writer.string(2, output)
  writer.string(3, node.name).string(4, node.operator)
  for (const [name, value] of Object.entries(node.attributes)) writer.message(5, encodeAttribute(name, value))
  if (node.domain) writer.string(7, node.domain)
  return writer
}

function encodeAttribute(name: string, value: OnnxAttribute): ProtobufWriter {
  const writer = new ProtobufWriter().string(1, name)
  if ('float' in value) return writer.float(2, value.float).integer(20, ATTRIBUTE_TYPE.float)
  if ('int' in value) return writer.integer(3, value.int).integer(20, ATTRIBUTE_TYPE.int)
  if ('string' in value) return writer.string(4, value.string).integer(20, ATTRIBUTE_TYPE.string)
  if ('floats' in value) {
    for (const each of value.floats) writer.float(7, each)
    return writer.integer(20, ATTRIBUTE_TYPE.floats)
  }
  for (const each of value.ints) writer.integer(8, each)
  return writer.integer(20, ATTRIBUTE_TYPE.ints)
}

function encodeInitializer({ name, type, dims, data }: OnnxInitializer): ProtobufWriter {
  const writer = new ProtobufWriter()
  for (const dim of dims) writer.integer(1, dim)
  writer.integer(2, ELEMENT_CODES[type]).string(8, name)
  if (data instanceof Uint8Array) return writer.bytes(9, data)
  const entries = { location: data.location, offset: String(data.offset), length: String(data.byteLength) }
  for (const [key, value] of Object.entries(entries)) writer.message(13, new ProtobufWriter().string(1, key).string(2, value))
  return writer.integer(14, EXTERNAL)
}

function encodeValueInfo({ name, type, dims }: OnnxValueInfo): ProtobufWriter {
  const shape = new ProtobufWriter()
  for (const dim of dims) {
    const dimension = new ProtobufWriter()
    shape.message(1, typeof dim === 'number' ? dimension.integer(1, dim) : dimension.string(2, dim))
  }
  const tensor = new ProtobufWriter().integer(1, ELEMENT_CODES[type]).message(2, shape)
  return new ProtobufWriter().string(1, name).message(2, new ProtobufWriter().message(1, tensor))
}
