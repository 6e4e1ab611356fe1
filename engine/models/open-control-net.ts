import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { controlNetWeights } from '../weights/control-net-weights.ts'
import { findWeightFiles } from '../weights/find-weight-files.ts'
import { readWeightFiles } from '../weights/read-weight-files.ts'
import { readSafetensors } from '../weights/safetensors.ts'
import type { StoredTensors } from '../weights/stored-tensor.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import { familyConfig } from './family-config.ts'
import { readJsonFile } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import { ModelError } from './model-error.ts'
import type { ModelFamily } from './model-spec.ts'
import { controlNetLayout } from './single-file-layout.ts'

/** Everything of a ControlNet but its weights' bytes. */
export interface ControlNet {
  /** Of the checkpoints it was made for. */
  readonly family: ModelFamily
  /** As its `config.json` has it. */
  readonly config: JsonObject
  readonly weights: TensorSource
}

const CONFIG = 'config.json'
const POOLED_NAME = /shuffle/i
const CROSS_ATTENTION = /attn2\.to_k\.weight$/
/** Width of the prompts by which a family is told. */
const FAMILY_BY_CONTEXT: Readonly<Record<number, ModelFamily>> = { 768: 'sd1', 1024: 'sd2', 2048: 'sdxl' }

/**
 * Opens a ControlNet: a folder as diffusers writes it, or one `.safetensors` file in diffusers' or the original naming, which
 * the `config.json` in `configPath` or the structure of its family's UNet describes. Reads configurations and headers only.
 * Throws a ModelError or a WeightError with a sentence for people.
 */
export async function openControlNet(path: string, configPath?: string): Promise<ControlNet> {
  const found = await stat(path).catch(cause => {
    throw new ModelError(`${basename(path)} is not there`, { cause })
  })
  if (!found.isDirectory()) {
    const { tensors } = await readSafetensors(path)
    return describe(configPath === undefined ? await publishedConfig(tensors, basename(path)) : await readConfig(configPath), tensors)
  }
  if (configPath !== undefined) throw new ModelError('a "config" folder is for single files; a diffusers folder describes itself')
  const files = await findWeightFiles(path, 'diffusion_pytorch_model', path)
  return describe(await readConfig(path), await readWeightFiles(files))
}

function describe(config: JsonObject, tensors: StoredTensors): ControlNet {
  if ((config['_class_name'] ?? 'ControlNetModel') !== 'ControlNetModel')
    throw new ModelError(`networks of the kind ${String(config['_class_name'])} are not supported as ControlNets`)
  return { family: familyOf(config), config, weights: controlNetWeights(tensors, controlNetLayout(config)) }
}

async function readConfig(folder: string): Promise<JsonObject> {
  return await readJsonFile(join(folder, CONFIG), folder, CONFIG)
}

/**
 * A ControlNet has the structure of its family's UNet; what a file without a configuration was trained for is told from the width of
 * its prompts. Whether its maps are pooled shows in no tensor: the published one of that kind has it in its name alone.
 */
async function publishedConfig(tensors: StoredTensors, name: string): Promise<JsonObject> {
  const attention = [...tensors.keys()].find(each => CROSS_ATTENTION.test(each))
  const width = attention === undefined ? undefined : tensors.get(attention)?.shape[1]
  const family = width === undefined ? undefined : FAMILY_BY_CONTEXT[width]
  if (!family) {
    const seen = width === undefined ? 'has no cross attention' : `has a cross attention of width ${width}`
    throw new ModelError(`the ControlNet's family cannot be told: it ${seen}, and 768 (SD 1.x), 1024 (SD 2.x) and 2048 (SDXL) are known; name a "config" folder that describes it`)
  }
  const { _class_name: _, ...unet } = (await familyConfig(family, tensors, new Map())).unet
  return { ...unet, ...(POOLED_NAME.test(name) && { global_pool_conditions: true }) }
}

function familyOf(config: JsonObject): ModelFamily {
  if (config['addition_embed_type'] === 'text_time') return 'sdxl'
  return config['use_linear_projection'] === true || config['cross_attention_dim'] === 1024 ? 'sd2' : 'sd1'
}
