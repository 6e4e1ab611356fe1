import type { ElementType } from './element-type.ts'

/** The bytes of a small constant. float16 and bfloat16 are not needed: such constants are cast in the graph. */
export function encodeConstant(type: ElementType, numbers: readonly number[]): Uint8Array {
  switch (type) {
    case 'float32': return new Uint8Array(Float32Array.from(numbers).buffer)
    case 'int64': return new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer)
    case 'int32': return new Uint8Array(Int32Array.from(numbers).buffer)
    case 'uint8':
    case 'bool': return Uint8Array.from(numbers)
    case 'int8': return new Uint8Array(Int8Array.from(numbers).buffer)
    case 'float16':
    case 'bfloat16': throw new Error(`a constant of type ${type} is written as float32 and cast`)
    default: return type satisfies never
  }
}
