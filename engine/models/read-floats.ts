import { open } from 'node:fs/promises'
import type { StoredTensor } from '../weights/stored-tensor.ts'

/** Values of a small float tensor, read from its file; undefined for other element types. */
export async function readFloats(tensor: StoredTensor): Promise<Float32Array | undefined> {
  const handle = await open(tensor.file, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(tensor.byteLength), 0, tensor.byteLength, tensor.offset)
    return bytesRead === tensor.byteLength ? decode(buffer, tensor.dtype) : undefined
  } finally {
    await handle.close()
  }
}

function decode(bytes: Buffer, dtype: string): Float32Array | undefined {
  if (dtype === 'F32') return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index))
  if (dtype === 'F16') return Float32Array.from({ length: bytes.length / 2 }, (_, index) => halfToFloat(bytes.readUInt16LE(2 * index)))
  if (dtype === 'BF16') return Float32Array.from({ length: bytes.length / 2 }, (_, index) => brainToFloat(bytes.readUInt16LE(2 * index)))
  return undefined
}

/** IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 bits of mantissa. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 0x1f) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/** bfloat16: the upper half of a binary32. */
function brainToFloat(bits: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, (bits << 16) >>> 0)
  return view.getFloat32(0)
}
