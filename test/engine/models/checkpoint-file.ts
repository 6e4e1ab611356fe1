import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TensorBytes } from '../weights/safetensors-writer.ts'
import { rawSafetensors } from '../weights/safetensors-writer.ts'

const KEYS = join(import.meta.dirname, '..', '..', '..', '..', 'test', 'reference', 'single-file')

export type Shapes = Record<string, readonly number[]>

/** Names and shapes of a checkpoint of the published size. */
export async function fullSizeKeys(family: 'sd1' | 'sd2' | 'sdxl' | 'sdxl-refiner'): Promise<Shapes> {
  return JSON.parse(await readFile(join(KEYS, `${family}-keys.json`), 'utf8')) as Shapes
}

/**
 * Writes a fp16 checkpoint of any size: only its header is written, the weights are a hole in the file that reads as zeros
 * and takes no room on the disk; `values` are written where their tensors lie.
 */
export async function writeSparseCheckpoint(
  path: string,
  shapes: Shapes,
  metadata?: Readonly<Record<string, string>>,
  values: Readonly<Record<string, TensorBytes>> = {},
): Promise<string> {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {}
  const places: (readonly [number, Uint8Array])[] = []
  let offset = 0
  for (const [name, shape] of Object.entries(shapes)) {
    const { dtype = 'F16', data } = values[name] ?? {}
    const end = offset + (data?.length ?? 2 * shape.reduce((product, dim) => product * dim, 1))
    if (data) places.push([offset, data])
    header[name] = { dtype, shape, data_offsets: [offset, end] }
    offset = end
  }
  const start = rawSafetensors(JSON.stringify(header))
  const handle = await open(path, 'w')
  await handle.write(start, 0, start.length, 0)
  await handle.truncate(start.length + offset)
  for (const [at, data] of places) await handle.write(data, 0, data.length, start.length + at)
  await handle.close()
  return path
}
