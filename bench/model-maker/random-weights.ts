import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { seededRandom } from '../measure/random.ts'
import type { Shapes } from './network-shapes.ts'
import { toFloat16 } from './to-float16.ts'

/** What is written in a tensor's place. `sparse`: nothing, which a file system stores in no space and reads as zeros. */
export type WeightFill = 'fp32' | 'fp16' | 'sparse'

/** Values after which the random ones begin again: the time of a network does not depend on them. */
const blockLength = 2 ** 20
/**
 * How much further in the block each tensor begins than the one before: odd, so that no two of a file begin at the same value.
 * The runtime keeps weights that are equal only once, which would make a model of equal layers smaller than any real one.
 */
const blockStride = 4099
/** Small enough for the values to stay finite in half precision through a hundred residual blocks. */
const gain = 0.5

/** Writes a `.safetensors` file of random weights: norms are ones, biases zeros, and the rest keeps the size of what passes through it. */
export async function writeRandomWeights(path: string, shapes: Shapes, fill: WeightFill): Promise<void> {
  const bytesPerValue = fill === 'fp16' ? 2 : 4
  const header: Record<string, unknown> = {}
  let offset = 0
  for (const [name, shape] of shapes) {
    const byteLength = count(shape) * bytesPerValue
    header[name] = { dtype: fill === 'fp16' ? 'F16' : 'F32', shape, data_offsets: [offset, offset + byteLength] }
    offset += byteLength
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const file = await open(path, 'w')
  try {
    await file.writev([length, text])
    if (fill === 'sparse') await file.truncate(8 + text.length + offset)
    else await writeTensors(file, shapes, fill)
  } finally {
    await file.close()
  }
}

async function writeTensors(file: FileHandle, shapes: Shapes, fill: 'fp32' | 'fp16'): Promise<void> {
  const random = randomBlock()
  /** Blocks by the factor that their values have; networks have few. */
  const blocks = new Map<number, Buffer>()
  const bytesPerValue = fill === 'fp16' ? 2 : 4
  let start = 0
  for (const [name, shape] of shapes) {
    const factor = factorOf(name, shape)
    let block = blocks.get(factor ?? NaN)
    if (!block) {
      block = encode(factor === undefined ? new Float32Array(blockLength).fill(1) : random.map(value => value * factor), fill)
      blocks.set(factor ?? NaN, block)
    }
    start = (start + blockStride) % blockLength
    let from = start * bytesPerValue
    for (let left = count(shape) * bytesPerValue; left > 0; from = 0) {
      const part = block.subarray(from, from + left)
      await file.writeFile(part)
      left -= part.length
    }
  }
}

/** What random values are multiplied by; undefined for a norm's scale, which is one. */
function factorOf(name: string, shape: readonly number[]): number | undefined {
  if (name.endsWith('bias')) return 0
  if (shape.length < 2) return undefined
  // An embedding's rows are taken one by one; elsewhere so many values are added up.
  const added = name.includes('embedding.') ? 1 : count(shape.slice(1))
  return gain * Math.sqrt(3 / added)
}

/** Uniform from -1 to 1. */
function randomBlock(): Float32Array {
  const random = seededRandom(1)
  return Float32Array.from({ length: blockLength }, () => random() * 2 - 1)
}

function encode(values: Float32Array, fill: 'fp32' | 'fp16'): Buffer {
  const typed = fill === 'fp32' ? values : Uint16Array.from(values, toFloat16)
  return Buffer.from(typed.buffer, typed.byteOffset, typed.byteLength)
}

function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}
