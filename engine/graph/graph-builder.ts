import { dirname, relative, sep } from 'node:path'
import type { TensorDtype } from '../tensor.ts'
import type { WeightDtype, WeightRef } from '../weights/weight-source.ts'
import { encodeConstant } from './constant-data.ts'
import type { ElementType } from './element-type.ts'
import type { ModelGraph, TensorSpec } from './model-graph.ts'
import { MICROSOFT_DOMAIN, encodeOnnxModel } from './onnx-model.ts'
import type { OnnxAttribute, OnnxInitializer, OnnxModel, OnnxNode } from './onnx-model.ts'

/** A tensor that flows through a graph under construction. */
export interface Value {
  readonly name: string
  readonly type: ElementType
}

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>
  /** Element type of the results. @default that of the first input */
  readonly type?: ElementType
}

const WEIGHT_TYPES = {
  F32: 'float32', F16: 'float16', BF16: 'bfloat16', I64: 'int64', I32: 'int32', U8: 'uint8',
} as const satisfies Record<WeightDtype, ElementType>

/** Builds one ONNX graph, node by node; weights stay in their files and are only pointed at. */
export class GraphBuilder {
  readonly #name: string
  readonly #nodes: OnnxNode[] = []
  readonly #inputs: TensorSpec[] = []
  readonly #outputs: TensorSpec[] = []
  readonly #weights = new Map<string, { readonly value: Value; readonly ref: WeightRef }>()
  readonly #constants = new Map<string, OnnxInitializer>()
  readonly #scopes: string[] = []

  /** @param name of the graph, for messages and profiles */
  constructor(name: string) {
    this.#name = name
  }

  input(name: string, dtype: TensorDtype, dims: readonly (number | string)[]): Value {
    this.#inputs.push({ name, dtype, dims })
    return { name, type: dtype }
  }

  output(name: string, dtype: TensorDtype, dims: readonly (number | string)[], value: Value): void {
    if (value.type !== dtype) throw new Error(`the output ${name} is ${dtype}, not ${value.type}`)
    this.#outputs.push({ name, dtype, dims })
    this.#nodes.push({ operator: 'Identity', domain: '', name: `output/${name}`, inputs: [value.name], outputs: [name], attributes: {} })
  }

  /** A tensor of a weight file as it is stored, or a reshaped view of it. */
  weight(ref: WeightRef, shape: readonly number[] = ref.shape): Value {
    if (product(shape) !== product(ref.shape)) {
      throw new Error(`a weight of shape [${ref.shape.join(', ')}] cannot be seen as [${shape.join(', ')}]`)
    }
    if (ref.isTransposed) {
      const stored = this.weight({ ...ref, isTransposed: false, shape: ref.shape.toReversed() })
      return this.node('Transpose', [stored], { attributes: { perm: { ints: [1, 0] } } })
    }
    const key = `${ref.file}:${ref.offset}:${shape.join('x')}`
    const known = this.#weights.get(key)
    if (known) return known.value
    const value = { name: `weight_${this.#weights.size}`, type: WEIGHT_TYPES[ref.dtype] }
    this.#weights.set(key, { value, ref: { ...ref, shape } })
    return value
  }

  /** A small tensor that is stored in the graph itself; equal ones are stored once. */
  constant(type: ElementType, dims: readonly number[], numbers: readonly number[]): Value {
    const key = `${type}[${dims.join(',')}]${numbers.join(',')}`
    let known = this.#constants.get(key)
    if (!known) {
      known = { name: `constant_${this.#constants.size}`, type, dims, data: encodeConstant(type, numbers) }
      this.#constants.set(key, known)
    }
    return { name: known.name, type }
  }

  /** A list of int64, as shapes, axes and sizes are given. */
  integers(...numbers: readonly number[]): Value {
    return this.constant('int64', [numbers.length], numbers)
  }

  /** Adds a node with one result; a missing optional input is `undefined`. */
  node(operator: string, inputs: readonly (Value | undefined)[], options?: NodeOptions): Value {
    const [result] = this.nodes(operator, inputs, 1, options)
    return result as Value
  }

  /** Adds a node with several results. Operators of `com.microsoft` are written with their domain in front: `com.microsoft.Name`. */
  nodes(operator: string, inputs: readonly (Value | undefined)[], count: number, options: NodeOptions = {}): Value[] {
    const { attributes = {}, type = inputs[0]?.type } = options
    if (!type) throw new Error(`the node ${operator} has no element type`)
    const isMicrosoft = operator.startsWith(`${MICROSOFT_DOMAIN}.`)
    const bare = isMicrosoft ? operator.slice(MICROSOFT_DOMAIN.length + 1) : operator
    const name = [...this.#scopes, `${bare}_${this.#nodes.length}`].join('/')
    const results = Array.from({ length: count }, (_, index) => ({ name: count === 1 ? `${name}:0` : `${name}:${index}`, type }))
    this.#nodes.push({
      operator: bare,
      domain: isMicrosoft ? MICROSOFT_DOMAIN : '',
      name,
      inputs: inputs.map(input => input?.name ?? ''),
      outputs: results.map(result => result.name),
      attributes,
    })
    return results
  }

  /** Runs `build` with `scope` in front of the names of the nodes it adds, so that profiles can be read. */
  within<T>(scope: string, build: () => T): T {
    this.#scopes.push(scope)
    try {
      return build()
    } finally {
      this.#scopes.pop()
    }
  }

  build(): ModelGraph {
    const { nodes, names } = this.#needed()
    const weights = [...this.#weights.values()].filter(({ value }) => names.has(value.name))
    const constants = [...this.#constants.values()].filter(({ name }) => names.has(name))
    const weightsFolder = commonFolder(weights.map(({ ref }) => ref.file))
    const external = weights.map(({ value, ref }): OnnxInitializer => ({
      name: value.name,
      type: value.type,
      dims: ref.shape,
      data: { location: relative(weightsFolder, ref.file).split(sep).join('/'), offset: ref.offset, byteLength: ref.byteLength },
    }))
    const model: OnnxModel = {
      name: this.#name,
      nodes,
      initializers: [...external, ...constants],
      inputs: this.#inputs.map(({ dtype, ...rest }) => ({ ...rest, type: dtype })),
      outputs: this.#outputs.map(({ dtype, ...rest }) => ({ ...rest, type: dtype })),
    }
    return { name: this.#name, encode: () => encodeOnnxModel(model), weightsFolder, inputs: this.#inputs, outputs: this.#outputs }
  }

  /** The nodes that an output needs, in order, and the names they take: what is left of a network may end in nothing. */
  #needed(): { readonly nodes: readonly OnnxNode[]; readonly names: ReadonlySet<string> } {
    const names = new Set(this.#outputs.map(({ name }) => name))
    const nodes = this.#nodes.toReversed().filter(({ inputs, outputs }) => {
      if (!outputs.some(name => names.has(name))) return false
      for (const name of inputs) names.add(name)
      return true
    })
    return { nodes: nodes.toReversed(), names }
  }
}

function product(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a * b, 1)
}

/** The deepest folder that holds all files; the runtime refuses files outside of the folder it is given. */
function commonFolder(files: readonly string[]): string {
  const folders = [...new Set(files.map(file => dirname(file)))]
  const [first = sep, ...others] = folders.map(folder => folder.split(sep))
  if (typeof first === 'string') return first
  let length = first.length
  for (const other of others) {
    let same = 0
    while (same < length && same < other.length && first[same] === other[same]) same++
    length = same
  }
  return first.slice(0, length).join(sep) || sep
}
