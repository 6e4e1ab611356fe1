import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readImageProjection } from '../architectures/image-projection.ts'
import type { ImageProjection } from '../architectures/image-projection.ts'
import { ipAdapterWeights } from '../weights/ip-adapter-weights.ts'
import { readSafetensors } from '../weights/safetensors.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import { ModelError } from './model-error.ts'
import type { ModelSpec } from './model-spec.ts'
import { refuseUnused } from './refuse-unused.ts'

/** An IP-Adapter's file: where each tensor lies. */
export interface IpAdapter {
  readonly projection: ImageProjection
  readonly projectionWeights: TensorSource
  /** Keys and values of the UNet's attention. */
  readonly attention: TensorSource
  /** Folder of the image encoder that it was trained with. */
  readonly encoderFolder: string
}

/** Where an adapter's image encoder lies by default: beside its file. */
const ENCODER_FOLDER = 'image_encoder'

/** Folder of an adapter's image encoder: the one that its entry names, or the one beside its file. */
export function imageEncoderFolderOf({ path, configPath = join(dirname(path), ENCODER_FOLDER) }: Pick<ModelSpec, 'path' | 'configPath'>): string {
  return configPath
}

/**
 * Opens an IP-Adapter, plain or Plus: one `.safetensors` file in the published layout, whose image encoder is the folder
 * `image_encoder` beside it, or `configPath`. Reads headers only. Throws a ModelError or a WeightError with a sentence for people.
 */
export async function openIpAdapter(path: string, configPath?: string): Promise<IpAdapter> {
  const encoderFolder = imageEncoderFolderOf({ path, ...(configPath !== undefined && { configPath }) })
  const { projection: projectionWeights, attention, strangers } = ipAdapterWeights((await readSafetensors(path)).tensors)
  const projection = readImageProjection(projectionWeights)
  if (projection === undefined) throw new ModelError('it is an IP-Adapter of a kind that is not supported: plain ones and Plus are, those for face embeddings are not')
  refuseUnused(strangers)
  if (!(await stat(encoderFolder).catch(() => undefined))?.isDirectory()) {
    throw new ModelError(`its image encoder is not there: the folder ${JSON.stringify(basename(encoderFolder))} beside its file, or a folder that "config" names`)
  }
  return { projection, projectionWeights, attention, encoderFolder }
}
