import { open, realpath } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { headerTextProblem } from './check-header-text.ts'
import { describeForeignFile, refusePickleName } from './pickle.ts'
import { quoteName } from './quote-name.ts'
import { DTYPE_BITS } from './stored-tensor.ts'
import type { StoredDtype, StoredTensor, StoredTensors } from './stored-tensor.ts'
import { WeightError } from './weight-error.ts'

/** Longest header that is read, in bytes; that of a large checkpoint is under 1 MB. */
export const MAX_HEADER_BYTES = 25 * 1024 * 1024
const LENGTH_BYTES = 8

/** A `.safetensors` file's tensors and the free text its writer put beside them. */
export interface SafetensorsFile {
  readonly tensors: StoredTensors
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Reads the header of a `.safetensors` file, never its weights.
 *
 * Refuses, as the format's own library does, whatever is not exactly such a file: a header longer than the file or than
 * `MAX_HEADER_BYTES`, malformed or with a key twice, a tensor whose element type is unknown or whose bytes are not element
 * type × shape, and tensors that overlap, leave holes or do not fill the file to its end.
 * Throws a WeightError that names the file (without its folder) and the tensor.
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const label = basename(path)
  refusePickleName(label)
  const file = await realpath(path).catch(cause => {
    throw new WeightError(`${label} cannot be found`, { cause })
  })
  refusePickleName(basename(file))
  const handle = await open(file, 'r').catch(cause => {
    throw new WeightError(`${label} cannot be read`, { cause })
  })
  try {
    const { size } = await handle.stat()
    const headerBytes = await readHeader(handle, size, label)
    return parseHeader(headerBytes, { file, label, dataStart: LENGTH_BYTES + headerBytes.length, size })
  } finally {
    await handle.close()
  }
}

async function readHeader(handle: FileHandle, size: number, label: string): Promise<Uint8Array> {
  const start = await readExactly(handle, Math.min(size, LENGTH_BYTES + 1), 0, label)
  const length = start.length > LENGTH_BYTES ? start.readBigUInt64LE(0) : 0n
  // The length comes first and decides an allocation, so it is checked before anything else is believed.
  if (start[LENGTH_BYTES] !== 0x7b || length > BigInt(MAX_HEADER_BYTES) || length > BigInt(size - LENGTH_BYTES)) {
    throw new WeightError(`${label} is not a usable .safetensors file: ${describeForeignFile(start, length)}`)
  }
  return readExactly(handle, Number(length), LENGTH_BYTES, label)
}

async function readExactly(handle: FileHandle, length: number, position: number, label: string): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new WeightError(`${label} ended while its header was read`)
    filled += bytesRead
  }
  return buffer
}

interface Place {
  readonly file: string
  readonly label: string
  /** Where the weights start in the file. */
  readonly dataStart: number
  readonly size: number
}

function parseHeader(bytes: Uint8Array, place: Place): SafetensorsFile {
  const entries = Object.entries(parseJson(bytes, place.label))
  const tensors = new Map<string, StoredTensor>()
  let metadata: ReadonlyMap<string, string> = new Map()
  for (const [name, value] of entries) {
    if (name === '__metadata__') metadata = parseMetadata(value, place.label)
    else tensors.set(name, parseTensor(name, value, place))
  }
  checkLayout(tensors, place)
  return { tensors, metadata }
}

function parseJson(bytes: Uint8Array, label: string): object {
  const notJson = (cause: unknown): WeightError => new WeightError(`${label} has a header that is not JSON in UTF-8`, { cause })
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw notJson(cause)
  }
  const problem = headerTextProblem(text)
  if (problem !== undefined) throw new WeightError(`${label} has a header that ${problem}`)
  try {
    return JSON.parse(text) as object
  } catch (cause) {
    throw notJson(cause)
  }
}

function parseMetadata(value: unknown, label: string): ReadonlyMap<string, string> {
  if (!isObject(value) || !Object.values(value).every(entry => typeof entry === 'string')) {
    throw new WeightError(`${label} has a __metadata__ that is not a map of strings`)
  }
  return new Map(Object.entries(value as Record<string, string>))
}

function parseTensor(name: string, value: unknown, place: Place): StoredTensor {
  const fail = (why: string): never => {
    throw new WeightError(`${place.label} has a tensor ${quoteName(name)} ${why}`)
  }
  if (!isObject(value)) return fail('without a description')
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype)) return fail(`of an unknown element type ${quoteName(String(dtype))}`)
  if (!isCounts(shape)) return fail('whose shape is not a list of whole numbers')
  if (!isCounts(offsets) || offsets.length !== 2) return fail('whose data_offsets are not two whole numbers')
  const [begin, end] = offsets as [number, number]
  if (begin > end || end > place.size - place.dataStart) return fail('whose bytes lie outside the file')
  const bits = shape.reduce((product, dim) => product * dim, DTYPE_BITS[dtype as StoredDtype])
  // Every product that is not exact is far larger than any file, so it cannot equal the number of stored bits.
  if (bits !== (end - begin) * 8) return fail(`that is ${end - begin} bytes long, not what ${dtype} [${shape.join(', ')}] takes`)
  return { file: place.file, offset: place.dataStart + begin, byteLength: end - begin, dtype: dtype as StoredDtype, shape }
}

function checkLayout(tensors: StoredTensors, place: Place): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength)
  let end = place.dataStart
  for (const [name, tensor] of ordered) {
    if (tensor.offset < end) throw new WeightError(`${place.label} has a tensor ${quoteName(name)} that overlaps another one`)
    if (tensor.offset > end) throw new WeightError(`${place.label} has bytes before the tensor ${quoteName(name)} that belong to none`)
    end = tensor.offset + tensor.byteLength
  }
  if (end !== place.size) throw new WeightError(`${place.label} has bytes after its last tensor that belong to none`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(entry => Number.isSafeInteger(entry) && entry >= 0)
}
