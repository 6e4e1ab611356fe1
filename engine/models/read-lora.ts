import type { LoraModule } from '../weights/lora-modules.ts'
import { quoteName } from '../weights/quote-name.ts'
import type { StoredTensor } from '../weights/stored-tensor.ts'
import type { LoraFactors } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { readFloats } from './read-floats.ts'

/** The largest number that half precision holds: beyond it a LoRA is broken, and its zero share in other rows would not be zero. */
const LARGEST = 65_504

/** Bytes that a LoRA's factors hold once they are read: in float32, whatever the file has. */
export function loraBytes(modules: readonly LoraModule[]): number {
  return 4 * modules.reduce((sum, { rank, inputs, outputs, kernel }) => sum + rank * (inputs * kernel * kernel + outputs), 0)
}

/** Reads a LoRA's factors, in the order of its modules. Throws a ModelError that names the key of a layer with numbers that are none. */
export async function readLora(modules: readonly LoraModule[]): Promise<readonly LoraFactors[]> {
  const factors: LoraFactors[] = []
  for (const module of modules) {
    const { key, rank, outputs, down, up, scaling } = module
    const factor = 'factor' in scaling ? scaling.factor : ((await numbers(scaling, key))[0] as number) / rank
    const read = { rank, down: await numbers(down, key), up: transposed(await numbers(up, key), outputs, rank, factor) }
    if (!isUsable(read.down) || !isUsable(read.up)) throw new ModelError(`its key ${quoteName(key)} is of a layer whose numbers are not finite or too large`)
    factors.push(read)
  }
  return factors
}

async function numbers(tensor: StoredTensor, key: string): Promise<Float32Array> {
  const read = await readFloats(tensor)
  if (!read) throw new ModelError(`the numbers of its key ${quoteName(key)} cannot be read`)
  return read
}

/** [rows, columns] → [columns, rows], each number times `factor`. */
function transposed(values: Float32Array, rows: number, columns: number, factor: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = factor * (values[row * columns + column] as number)
  }
  return result
}

function isUsable(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) {
    // A comparison with NaN is false.
    if (!(Math.abs(values[i] as number) <= LARGEST)) return false
  }
  return true
}
