import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readTensors, writeSafetensors, zeros } from './safetensors-writer.ts'
import type { TensorBytes } from './safetensors-writer.ts'

const REFERENCE = join(import.meta.dirname, '..', '..', '..', '..', 'test', 'reference')

/** Folder of one of the small reference models. */
export function referenceModel(name: string): string {
  return join(REFERENCE, 'models', name)
}

/** `transposed`: the one matrix lies the other way round in the checkpoint. */
type MadeEntry = { readonly from: readonly string[]; readonly shape?: readonly number[]; readonly transposed?: true }
type RecipeEntry = MadeEntry | { readonly zeros: readonly number[] }

/** All tensors of a diffusers folder by `component/name`. */
export async function folderTensors(folder: string): Promise<Record<string, TensorBytes>> {
  const tensors: Record<string, TensorBytes> = {}
  const present = await readdir(folder)
  for (const component of ['unet', 'vae', 'text_encoder', 'text_encoder_2'].filter(name => present.includes(name))) {
    for (const file of (await readdir(join(folder, component))).filter(name => name.endsWith('.safetensors'))) {
      for (const [name, tensor] of Object.entries(await readTensors(join(folder, component, file))))
        tensors[`${component}/${name}`] = tensor
    }
  }
  return tensors
}

/** The tensors of a small model as a single-file checkpoint names them, by the recipe that diffusers' own loader has confirmed. */
export async function singleFileTensors(name: string): Promise<Record<string, TensorBytes>> {
  const recipe = JSON.parse(await readFile(join(REFERENCE, 'single-file', `${name}.json`), 'utf8')) as Record<string, RecipeEntry>
  const stored = await folderTensors(referenceModel(name))
  return Object.fromEntries(
    Object.entries(recipe).map(([original, entry]) => [original, 'zeros' in entry ? zeros(...entry.zeros) : assemble(entry, stored)]),
  )
}

/** Writes a small model as a single-file checkpoint and returns the path. */
export async function writeSingleFile(
  name: string,
  path: string,
  change: (tensors: Record<string, TensorBytes>) => void = () => {},
): Promise<string> {
  const tensors = await singleFileTensors(name)
  change(tensors)
  return writeSafetensors(path, tensors)
}

function assemble({ from, shape, transposed }: MadeEntry, stored: Record<string, TensorBytes>): TensorBytes {
  const parts = from.map(name => stored[name] as TensorBytes)
  const [first] = parts as [TensorBytes]
  if (transposed) return transpose(first)
  const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0)
  return {
    dtype: first.dtype,
    shape: shape ?? (parts.length > 1 ? [rows, ...first.shape.slice(1)] : first.shape),
    data: Buffer.concat(parts.map(part => part.data)),
  }
}

function transpose({ dtype, shape, data }: TensorBytes): TensorBytes {
  const [rows = 0, columns = 0] = shape
  const size = data.length / (rows * columns)
  const cells = Array.from({ length: rows * columns }, (_, index) => {
    const from = ((index % rows) * columns + Math.floor(index / rows)) * size
    return data.subarray(from, from + size)
  })
  return { dtype, shape: [columns, rows], data: Buffer.concat(cells) }
}
