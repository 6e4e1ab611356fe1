import type { StoredTensors } from '../weights/stored-tensor.ts'
import type { JsonObject } from './json-file.ts'
import { ModelError } from './model-error.ts'
import type { ModelFamily } from './model-spec.ts'

const UNET = 'model.diffusion_model.'
const CROSS_ATTENTION = /^model\.diffusion_model\.input_blocks\.\d+\.1\.transformer_blocks\.0\.attn2\.to_k\.weight$/

/** Width of the text encoder's states by which a family is told. */
const FAMILY_BY_CONTEXT: Readonly<Record<number, ModelFamily>> = { 768: 'sd1', 1024: 'sd2' }

// Architectures that are known and cannot be computed yet, by tensors only they have.
const OTHERS: readonly (readonly [string, RegExp])[] = [
  ['Stable Diffusion 3', /(^|\.)joint_blocks\.0\./],
  ['Flux', /(^|\.)double_blocks\.0\./],
]
// These are told by their text encoders: the refiner has SDXL's second one alone.
const XL_FAMILIES: readonly (readonly [ModelFamily, RegExp])[] = [
  ['sdxl', /^conditioner\.embedders\.1\./],
  ['sdxlRefiner', /^conditioner\.embedders\.0\.model\./],
]
const UNCLIP = /^model\.diffusion_model\.label_emb\./
const PIPELINES: ReadonlySet<unknown> = new Set([
  'StableDiffusionPipeline',
  'StableDiffusionImg2ImgPipeline',
  'StableDiffusionInpaintPipeline',
  'LatentConsistencyModelPipeline',
])
const XL_PIPELINES: ReadonlySet<unknown> = new Set([
  'StableDiffusionXLPipeline',
  'StableDiffusionXLImg2ImgPipeline',
  'StableDiffusionXLInpaintPipeline',
])
const INPUTS: Readonly<Record<number, string>> = { 5: 'Depth-conditioned', 8: 'InstructPix2Pix', 7: 'Upscaling' }
/** Latents; an inpainting network takes a mask and the latents of what is left of the picture besides. */
const KNOWN_INPUTS: readonly unknown[] = [4, 9]

/** The family of a single-file checkpoint without a configuration. Throws a ModelError that names what it is when that is not supported. */
export function familyOfTensors(tensors: StoredTensors): ModelFamily {
  const names = [...tensors.keys()]
  const other = OTHERS.find(([, pattern]) => names.some(name => pattern.test(name)))
  if (other) throw notSupported(other[0])
  if (!names.some(name => name.startsWith(UNET)))
    throw new ModelError('the file is not a checkpoint: it holds no UNet under its original key names')
  refuseInputs(tensors.get(`${UNET}input_blocks.0.0.weight`)?.shape[1])
  const xl = XL_FAMILIES.find(([, pattern]) => names.some(name => pattern.test(name)))
  if (xl) return xl[0]
  if (names.some(name => UNCLIP.test(name))) throw notSupported('Stable Diffusion unCLIP')
  const attention = names.find(name => CROSS_ATTENTION.test(name))
  const width = attention === undefined ? undefined : tensors.get(attention)?.shape[1]
  const family = width === undefined ? undefined : FAMILY_BY_CONTEXT[width]
  if (family) return family
  const seen = width === undefined ? 'has no cross attention' : `has a cross attention of width ${width}`
  throw new ModelError(
    `the checkpoint's family cannot be told: its UNet ${seen}, and 768 (SD 1.x) and 1024 (SD 2.x) are known; ` +
      'name a "config" folder that describes it',
  )
}

/**
 * The family a diffusers configuration belongs to. Throws a ModelError that names what it is when that is not supported.
 * @param hasFirstTextEncoder whether there is a `text_encoder` folder; SDXL's refiner has only a `text_encoder_2`
 */
export function familyOfConfig(modelIndex: JsonObject, unet: JsonObject, hasFirstTextEncoder = true): ModelFamily {
  refuseOtherPipelines(modelIndex)
  const isXl = unet['addition_embed_type'] === 'text_time'
  const pipeline = modelIndex['_class_name']
  if (pipeline !== undefined && XL_PIPELINES.has(pipeline) !== isXl)
    throw new ModelError(`its components do not fit together: the unet is not one of a ${String(pipeline)}`)
  if ((unet['_class_name'] ?? 'UNet2DConditionModel') !== 'UNet2DConditionModel')
    throw new ModelError(`networks of the kind ${String(unet['_class_name'])} are not supported yet`)
  refuseInputs(unet['in_channels'])
  if (isXl) return hasFirstTextEncoder ? 'sdxl' : 'sdxlRefiner'
  return unet['use_linear_projection'] === true || unet['cross_attention_dim'] === 1024 ? 'sd2' : 'sd1'
}

/** Throws a ModelError that names the kind of model a `model_index.json` tells of, when it is not supported. */
export function refuseOtherPipelines({ _class_name: pipeline }: JsonObject): void {
  if (pipeline === undefined || PIPELINES.has(pipeline) || XL_PIPELINES.has(pipeline)) return
  throw new ModelError(`models of the kind ${String(pipeline)} are not supported yet`)
}

function refuseInputs(channels: unknown): void {
  if (channels === undefined || KNOWN_INPUTS.includes(channels)) return
  const kind = INPUTS[Number(channels)]
  throw kind
    ? new ModelError(`${kind} models (${String(channels)} input channels) are not supported yet`)
    : new ModelError(`a UNet with ${String(channels)} input channels is not supported`)
}

function notSupported(what: string): ModelError {
  return new ModelError(`${what} is not supported yet`)
}
