import { readFile, writeFile } from 'node:fs/promises'

/** A tensor to write: its description and its bytes. */
export interface TensorBytes {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Writes a `.safetensors` file, tensors in the order given, and returns its path. Knows nothing of the reader under test. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorBytes>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<string> {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {}
  let offset = 0
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.length] }
    offset += data.length
  }
  await writeFile(path, rawSafetensors(JSON.stringify(header), Buffer.concat(Object.values(tensors).map(({ data }) => data))))
  return path
}

/** The bytes of a file with this header text and these weights, whatever they say. */
export function rawSafetensors(header: string, weights: Uint8Array = new Uint8Array(), length = BigInt(Buffer.byteLength(header))): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length)
  return Buffer.concat([prefix, Buffer.from(header), weights])
}

/** Reads all tensors of a `.safetensors` file with their bytes. */
export async function readTensors(path: string): Promise<Record<string, TensorBytes>> {
  const bytes = await readFile(path)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return Object.fromEntries(
    tensors.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, data: bytes.subarray(start + from, start + to) }],
    ),
  )
}

/** A float32 tensor of zeros. */
export function zeros(...shape: readonly number[]): TensorBytes {
  return { dtype: 'F32', shape, data: new Uint8Array(4 * shape.reduce((product, dim) => product * dim, 1)) }
}

/** The two factors of a LoRA of rank 1 for a layer of one input and one output, under kohya's keys. */
export function loraPair(layer: string): Record<string, TensorBytes> {
  const one = { dtype: 'F32', shape: [1, 1], data: new Uint8Array(4) }
  return { [`${layer}.lora_down.weight`]: one, [`${layer}.lora_up.weight`]: one }
}
