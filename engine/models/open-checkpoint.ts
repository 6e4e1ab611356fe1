import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Components, TextEncoderComponent, WeightComponent } from '../weights/component-names.ts'
import { openFolderWeights } from '../weights/folder-weights.ts'
import { readSafetensors } from '../weights/safetensors.ts'
import { singleFileWeights } from '../weights/single-file-weights.ts'
import type { StoredTensors } from '../weights/stored-tensor.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import type { NoiseScheduleConfig } from '../schedulers/noise-scheduler.ts'
import { CLIP_VOCABULARY_SIZE, clipTokenizer } from './clip-tokenizer.ts'
import { familyOfConfig, familyOfTensors, refuseOtherPipelines } from './detect-family.ts'
import { familyConfig } from './family-config.ts'
import type { TokenizerConfig } from './family-config.ts'
import { readJsonFile } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import type { TokenizerFiles } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { FAMILY_TEXT_ENCODERS } from './family-text-encoders.ts'
import type { ModelFamily } from './model-spec.ts'
import { parseNoiseSchedule } from './noise-schedule.ts'
import { singleFileLayout } from './single-file-layout.ts'
import { TOKENIZER_FOLDERS, readTokenizerFolder } from './tokenizer-folder.ts'

/** Everything of a checkpoint but its weights' bytes: configurations, tokenizer, and where each tensor lies. */
export interface Checkpoint {
  readonly family: ModelFamily
  /** As the `config.json` files have them. */
  readonly configs: Components<JsonObject>
  readonly noiseSchedule: NoiseScheduleConfig
  /** One for each text encoder. */
  readonly tokenizers: Readonly<Partial<Record<TextEncoderComponent, TokenizerFiles>>>
  /** Whether no negative prompt means zeros instead of the states of an empty text. */
  readonly zerosEmptyPrompt: boolean
  readonly weights: Components<TensorSource>
  /** Tensors of the file that belong to no component and are not known to be ignorable. */
  readonly strangers: readonly string[]
}

type Description = Omit<Checkpoint, 'weights' | 'strangers'>

/**
 * Opens a checkpoint: a diffusers folder, or a single file that `configPath` or its family's published configuration
 * describes. Reads configurations and headers only. Throws a ModelError or a WeightError with a sentence for people.
 */
export async function openCheckpoint(path: string, configPath?: string): Promise<Checkpoint> {
  const found = await stat(path).catch(cause => {
    throw new ModelError(`${basename(path)} is not there`, { cause })
  })
  if (!found.isDirectory()) return openSingleFile(path, configPath)
  if (configPath !== undefined) throw new ModelError('a "config" folder is for single files; a diffusers folder describes itself')
  const description = await describeFolder(path)
  const components = Object.keys(description.configs) as readonly WeightComponent[]
  const opened = await Promise.all(components.map(async component => [component, await openFolderWeights(path, component)] as const))
  return { ...description, weights: Object.fromEntries(opened) as unknown as Components<TensorSource>, strangers: [] }
}

async function openSingleFile(path: string, configPath: string | undefined): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path)
  const description = configPath === undefined ? await describeTensors(tensors, metadata) : await describeFolder(configPath)
  const { components, strangers } = singleFileWeights(tensors, singleFileLayout(description.configs))
  return { ...description, weights: components, strangers }
}

async function describeTensors(tensors: StoredTensors, metadata: ReadonlyMap<string, string>): Promise<Description> {
  const family = familyOfTensors(tensors)
  const published = await familyConfig(family, tensors, metadata)
  const { unet, vae, scheduler, model_index = {} } = published
  return {
    family,
    configs: { ...(await perTextEncoder(family, component => published[component] as JsonObject)), unet, vae },
    noiseSchedule: parseNoiseSchedule(scheduler),
    tokenizers: await perTextEncoder(family, component => {
      const { pad_token, model_max_length } = published[TOKENIZER_FOLDERS[component]] as TokenizerConfig
      return clipTokenizer(pad_token, model_max_length)
    }),
    zerosEmptyPrompt: zerosEmptyPrompt(family, model_index),
  }
}

async function describeFolder(folder: string): Promise<Description> {
  const names = await readdir(folder)
  const json = (...parts: string[]): Promise<JsonObject> => readJsonFile(join(folder, ...parts), folder, parts.join('/'))
  const modelIndex = names.includes('model_index.json') ? await json('model_index.json') : {}
  if (!names.includes('unet')) {
    // Other architectures have a transformer in its place; the index says which.
    refuseOtherPipelines(modelIndex)
    throw new ModelError(`${basename(folder)} is not a diffusers folder: it has no unet folder`)
  }
  const unet = await json('unet', 'config.json')
  const family = familyOfConfig(modelIndex, unet, names.includes('text_encoder'))
  const [texts, vae, scheduler] = await Promise.all([
    perTextEncoder(family, component => json(component, 'config.json')),
    json('vae', 'config.json'),
    json('scheduler', 'scheduler_config.json'),
  ])
  return {
    family,
    configs: { ...texts, unet, vae },
    noiseSchedule: parseNoiseSchedule(scheduler),
    tokenizers: await perTextEncoder(family, async component => {
      const name = TOKENIZER_FOLDERS[component]
      return (await readTokenizerFolder(folder, name)) ?? defaultTokenizer(family, component, texts[component]?.['vocab_size'])
    }),
    zerosEmptyPrompt: zerosEmptyPrompt(family, modelIndex),
  }
}

function defaultTokenizer(family: ModelFamily, component: TextEncoderComponent, vocabularySize: unknown): Promise<TokenizerFiles> {
  if (vocabularySize !== CLIP_VOCABULARY_SIZE)
    throw new ModelError(`the ${TOKENIZER_FOLDERS[component]} folder is not there, and the text encoder's vocabulary is not CLIP's`)
  return clipTokenizer(family === 'sd2' || component === 'text_encoder_2' ? '!' : '<|endoftext|>', 77)
}

/** diffusers' pipelines of the XL families do so unless the index says otherwise; the others know nothing of it. */
function zerosEmptyPrompt(family: ModelFamily, modelIndex: JsonObject): boolean {
  return 'text_encoder_2' in FAMILY_TEXT_ENCODERS[family] && modelIndex['force_zeros_for_empty_prompt'] !== false
}

/** Makes something for each text encoder of a family. */
async function perTextEncoder<T>(
  family: ModelFamily,
  make: (component: TextEncoderComponent) => T | Promise<T>,
): Promise<Readonly<Partial<Record<TextEncoderComponent, T>>>> {
  const components = Object.keys(FAMILY_TEXT_ENCODERS[family]) as readonly TextEncoderComponent[]
  return Object.fromEntries(await Promise.all(components.map(async component => [component, await make(component)] as const)))
}
