import { basename } from 'node:path'
import type { WeightFiles } from './find-weight-files.ts'
import { readSafetensors } from './safetensors.ts'
import type { StoredTensor, StoredTensors } from './stored-tensor.ts'
import { WeightError } from './weight-error.ts'

/**
 * Reads the headers of a component's files and joins them.
 * Throws a WeightError when two shards hold the same tensor, or when the index and the shards differ.
 */
export async function readWeightFiles({ files, index }: WeightFiles): Promise<StoredTensors> {
  const joined = new Map<string, StoredTensor>()
  for (const file of files) {
    const { tensors } = await readSafetensors(file)
    for (const [name, tensor] of tensors) {
      if (joined.has(name)) throw new WeightError(`the tensor ${name} is in two shards, ${basename(file)} and another`)
      if (index && index.get(name) !== tensor.file) throw new WeightError(`the index does not name the tensor ${name} of ${basename(file)}`)
      joined.set(name, tensor)
    }
  }
  for (const name of index?.keys() ?? []) {
    if (!joined.has(name)) throw new WeightError(`the index names the tensor ${name}, which its shard does not hold`)
  }
  return joined
}
