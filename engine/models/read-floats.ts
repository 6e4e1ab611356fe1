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
  // A buffer of its own starts aligned; weights are little-endian, as is every processor that the runtime has a build for.
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  if (dtype === 'F16') return widenHalves(halves)
  if (dtype === 'BF16') return widenBrainFloats(halves)
  return undefined
}

/** IEEE 754 binary16 (sign, 5 bits of exponent, 10 of mantissa) to binary32, by its bits: there are millions of them. */
function widenHalves(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  const floats = new Float32Array(bits.buffer)
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] as number
    const sign = (half & 0x8000) << 16
    const exponent = half & 0x7c00
    const rest = (half & 0x7fff) << 13
    // The exponents' biases differ by 112; the highest stands for infinity and NaN, the lowest for numbers without a leading 1.
    if (exponent === 0x7c00) bits[i] = sign | 0x7f800000 | rest
    else if (exponent !== 0) bits[i] = sign | (rest + (112 << 23))
    else floats[i] = (sign === 0 ? 1 : -1) * (half & 0x3ff) * 2 ** -24
  }
  return floats
}

/** bfloat16 is the upper half of a binary32. */
function widenBrainFloats(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16
  return new Float32Array(bits.buffer)
}
