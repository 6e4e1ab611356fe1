import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { clipTokenizer } from '../../engine/models/clip-tokenizer.ts'
import { readPackageAsset } from '../../engine/models/package-asset.ts'
import { networkShapes } from './network-shapes.ts'
import type { ComponentConfig } from './network-shapes.ts'
import { writeRandomWeights } from './random-weights.ts'
import type { WeightFill } from './random-weights.ts'

/** Published sizes that a model can be made in. */
export type PublishedSize = 'sd15' | 'sd21'

interface FamilyFile {
  readonly text_encoder: ComponentConfig
  readonly unet: ComponentConfig
  readonly vae: ComponentConfig
  readonly scheduler: ComponentConfig
  readonly tokenizer: { readonly pad_token: string; readonly model_max_length: number }
}

/** Of what is written, in the folder's file `maker.json`; counts up when older folders must be made again. 2: no two tensors are equal. */
const version = 2
const versionFile = 'maker.json'

const families = { sd15: 'sd1', sd21: 'sd2' } as const
const endOfText = '<|endoftext|>'

/**
 * Makes a diffusers folder of a published size with random weights, for measuring: the time of a network does not depend on their values.
 * The folder is there when it is complete; one of an older version gives way to it.
 */
export async function makeModel(folder: string, size: PublishedSize, fill: WeightFill): Promise<void> {
  const family = JSON.parse((await readPackageAsset(`engine/models/families/${families[size]}.json`)).toString()) as FamilyFile
  const part = `${folder}.part`
  await rm(part, { recursive: true, force: true })
  const json = (value: unknown, ...path: string[]) => writeText(join(part, ...path), JSON.stringify(value, undefined, 2))
  const shapes = networkShapes(family)
  await json({
    _class_name: 'StableDiffusionPipeline',
    scheduler: ['diffusers', family.scheduler['_class_name']],
    text_encoder: ['transformers', 'CLIPTextModel'],
    tokenizer: ['transformers', 'CLIPTokenizer'],
    unet: ['diffusers', 'UNet2DConditionModel'],
    vae: ['diffusers', 'AutoencoderKL'],
  }, 'model_index.json')
  for (const component of ['text_encoder', 'unet', 'vae'] as const) {
    await json(family[component], component, 'config.json')
    const stem = component === 'text_encoder' ? 'model' : 'diffusion_pytorch_model'
    await writeRandomWeights(join(part, component, `${stem}.safetensors`), shapes[component], fill)
  }
  await json(family.scheduler, 'scheduler', 'scheduler_config.json')
  const { pad_token: padToken, model_max_length: maxLength } = family.tokenizer
  const { vocabulary, merges } = await clipTokenizer(padToken, maxLength)
  await json(vocabulary, 'tokenizer', 'vocab.json')
  await writeText(join(part, 'tokenizer', 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`)
  await json({ tokenizer_class: 'CLIPTokenizer', model_max_length: maxLength, pad_token: padToken, bos_token: '<|startoftext|>', eos_token: endOfText, unk_token: endOfText }, 'tokenizer', 'tokenizer_config.json')
  await json({ version }, versionFile)
  await rm(folder, { recursive: true, force: true })
  await rename(part, folder)
}

/** Whether a folder is there and was made as `makeModel` makes it now. */
export async function isMade(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, versionFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text !== undefined && (JSON.parse(text) as { readonly version?: unknown }).version === version
}

async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
