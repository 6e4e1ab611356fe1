import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { openWeightsIn } from '../weights/folder-weights.ts'
import { readSafetensors } from '../weights/safetensors.ts'
import { vaeFileWeights } from '../weights/vae-file-weights.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import { readJsonFile } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import { ModelError } from './model-error.ts'
import { vaeFileConfig } from './vae-file-config.ts'

/** A VAE's configuration, and where its tensors lie. */
export interface VaeFiles {
  /** As `config.json` has it; without the scaling of its latents where a file alone does not say it. */
  readonly config: JsonObject
  readonly weights: TensorSource
  /** Tensors of the file that no VAE has and that are not known to be ignorable. */
  readonly strangers: readonly string[]
}

/**
 * Opens a VAE: a folder as diffusers saves one, or a single file under diffusers' or the original key names, which describes
 * itself by its tensors or is described by the `config.json` in `configPath`. Reads configurations and headers only.
 * Throws a ModelError or a WeightError with a sentence for people.
 */
export async function openVae(path: string, configPath?: string): Promise<VaeFiles> {
  const found = await stat(path).catch(cause => {
    throw new ModelError(`${basename(path)} is not there`, { cause })
  })
  if (found.isDirectory()) {
    if (configPath !== undefined) throw new ModelError('a "config" folder is for single files; a vae folder describes itself')
    return { config: await readVaeConfig(path), weights: await openWeightsIn(path, 'vae'), strangers: [] }
  }
  const { tensors } = await readSafetensors(path)
  const { weights, strangers } = vaeFileWeights(tensors)
  return { config: configPath === undefined ? vaeFileConfig(weights) : await readVaeConfig(configPath), weights, strangers }
}

/** The `config.json` of a VAE's folder, or of the VAE in a whole model's. */
async function readVaeConfig(folder: string): Promise<JsonObject> {
  const parts = (await readdir(folder)).includes('vae') ? ['vae', 'config.json'] : ['config.json']
  const config = await readJsonFile(join(folder, ...parts), folder, parts.join('/'))
  const kind = config['_class_name'] ?? 'AutoencoderKL'
  if (kind !== 'AutoencoderKL') throw new ModelError(`VAEs of the kind ${String(kind)} are not supported`)
  return config
}
