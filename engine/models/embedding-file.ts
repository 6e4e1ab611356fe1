import { basename } from 'node:path'
import { readSafetensors } from '../weights/safetensors.ts'
import type { StoredTensor, StoredTensors } from '../weights/stored-tensor.ts'
import type { TextEmbedding } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { readFloats } from './read-floats.ts'

/** Keys that say nothing of the token: those of the web user interface. */
const NAMELESS = /^(emb_params|string_to_param(\..+)?|\*)$/
/** Keys of files for models of two text encoders, in the order of the encoders. */
const TWO_ENCODERS = ['clip_l', 'clip_g'] as const
/** Most vectors of an embedding: a chunk of the text encoder takes no more. */
const MOST_VECTORS = 75
const LONGEST_TRIGGER = 200

/** What an embedding's file says before its vectors are read. */
export interface EmbeddingFile {
  readonly trigger: string
  /** For each text encoder, a tensor of one vector or a row for each. */
  readonly tensors: readonly StoredTensor[]
}

/**
 * Opens an embedding's file, header only: one tensor under its token (`<token>`) or under the web user interface's key, whose
 * token is the file's name; or one for each text encoder of SDXL. Throws a ModelError or WeightError with a sentence for people.
 */
export async function openEmbedding(path: string): Promise<EmbeddingFile> {
  const { tensors } = await readSafetensors(path)
  const fileName = basename(path).replace(/\.safetensors$/i, '')
  const file = describe(tensors, fileName)
  if (file.trigger.trim() === '' || file.trigger.length > LONGEST_TRIGGER) throw new ModelError('its token is empty or too long to be written in a prompt')
  const counts = file.tensors.map(countVectors)
  if (new Set(counts).size > 1) throw new ModelError(`it has another number of vectors for each text encoder (${counts.join(' and ')})`)
  return file
}

/** Reads an embedding into memory. Throws what `openEmbedding` throws, and a ModelError for vectors that are no numbers. */
export async function readEmbedding(path: string): Promise<TextEmbedding> {
  const { trigger, tensors } = await openEmbedding(path)
  return { trigger, vectors: await Promise.all(tensors.map(readVectors)) }
}

function describe(tensors: StoredTensors, fileName: string): EmbeddingFile {
  const pair = TWO_ENCODERS.map(key => tensors.get(key))
  if (tensors.size === TWO_ENCODERS.length && pair.every(tensor => tensor !== undefined)) return { trigger: fileName, tensors: pair }
  const [only, ...others] = tensors
  if (only === undefined || others.length > 0) throw new ModelError(`an embedding's file holds one tensor, or ${TWO_ENCODERS.join(' and ')}; it holds ${tensors.size}`)
  const [key, tensor] = only
  return { trigger: NAMELESS.test(key) || TWO_ENCODERS.some(each => each === key) ? fileName : key, tensors: [tensor] }
}

function countVectors({ shape }: StoredTensor): number {
  const [rows, width] = shape.length === 1 ? [1, shape[0]] : shape
  if (shape.length > 2 || !rows || !width) throw new ModelError(`its tensor of the shape [${shape.join(', ')}] is no list of vectors`)
  if (rows > MOST_VECTORS) throw new ModelError(`it has ${rows} vectors; at most ${MOST_VECTORS} fit into a prompt`)
  return rows
}

async function readVectors(tensor: StoredTensor): Promise<readonly Float32Array[]> {
  const values = await readFloats(tensor)
  if (values === undefined) throw new ModelError(`its vectors are stored as ${tensor.dtype}, which cannot be computed with`)
  if (!values.every(Number.isFinite)) throw new ModelError('its vectors are not all finite numbers')
  const count = countVectors(tensor)
  const width = values.length / count
  return Array.from({ length: count }, (_, index) => values.slice(index * width, (index + 1) * width))
}
