import { COMPONENT_LABELS, canonicalTensorName, isIgnorableTensor } from './component-names.ts'
import type { WeightComponent } from './component-names.ts'
import { ldmUnetNames } from './ldm-unet-names.ts'
import type { UnetLayout } from './ldm-unet-names.ts'
import { ldmVaeNames } from './ldm-vae-names.ts'
import { isIgnorableOpenClip, openClipTensors } from './open-clip-names.ts'
import type { StoredTensor, StoredTensors } from './stored-tensor.ts'
import { TensorSource } from './tensor-source.ts'
import type { NamedTensor } from './tensor-source.ts'
import { linearView } from './tensor-views.ts'
import { WeightError } from './weight-error.ts'

/** What of a model's configuration decides how a single file's tensors are named. */
export interface SingleFileLayout {
  readonly unet: UnetLayout
  /** Resolutions of the VAE. */
  readonly vaeBlocks: number
  /** Layers of the text encoder that are used. */
  readonly textLayers: number
}

/** The weights of a single-file checkpoint, by component, under diffusers' and transformers' names. */
export interface SingleFileWeights {
  readonly components: Readonly<Record<WeightComponent, TensorSource>>
  /** Tensors that belong to no component and are not known to be ignorable. */
  readonly strangers: readonly string[]
}

const UNET = 'model.diffusion_model.'
const VAE = 'first_stage_model.'
const CLIP = 'cond_stage_model.transformer.'
const OPEN_CLIP = 'cond_stage_model.model.'

// What training leaves in a checkpoint: the moving average of the weights, the noise schedule's tables, counters, the
// VAE's loss network, and CLIP's own scale and projection where a tool has put them beside the encoder.
const IGNORABLE = [
  /^model_ema\./,
  /^model\.model_ema\./,
  /^first_stage_model\.(loss\.|logvar$|model_ema\.)/,
  /^(betas|alphas_cumprod|alphas_cumprod_prev|sqrt_alphas_cumprod|sqrt_one_minus_alphas_cumprod|log_one_minus_alphas_cumprod)$/,
  /^(sqrt_recip_alphas_cumprod|sqrt_recipm1_alphas_cumprod|posterior_variance|posterior_log_variance_clipped)$/,
  /^(posterior_mean_coef1|posterior_mean_coef2|logvar|lvlb_weights|scale_factor|global_step|denoiser\.sigmas)$/,
  /^cond_stage_model\.(logit_scale|text_projection)$/,
  /^(v_pred|ztsnr)$/,
  /^embedding_manager\./,
]

/**
 * Sorts the tensors of a checkpoint with the original key names into components, through the name map that follows from the
 * model's layout. Throws a WeightError when a component is not in the file.
 */
export function singleFileWeights(stored: StoredTensors, layout: SingleFileLayout): SingleFileWeights {
  const unetName = ldmUnetNames(layout.unet)
  const vaeName = ldmVaeNames(layout.vaeBlocks)
  const isOpenClip = hasPrefix(stored, OPEN_CLIP)
  const textPrefix = isOpenClip ? OPEN_CLIP : CLIP
  const components = {
    unet: build('unet', stored, UNET, (name, tensor) => one(unetName(name), name, tensor)),
    vae: build('vae', stored, VAE, (name, tensor) => one(vaeName(name), name, name.includes('.attn_') ? linearView(tensor) : tensor)),
    text_encoder: build(
      'text_encoder',
      stored,
      textPrefix,
      isOpenClip ? openClipTensors : (name, tensor) => one(canonicalTensorName('text_encoder', name), name, tensor),
      isOpenClip ? name => isIgnorableOpenClip(name, layout.textLayers) : undefined,
    ),
  }
  const prefixes = [UNET, VAE, textPrefix]
  const strangers = [...stored.keys()].filter(name => !prefixes.some(prefix => name.startsWith(prefix)) && !isIgnorableInFile(name))
  return { components, strangers }
}

type Rename = (name: string, tensor: StoredTensor) => readonly (readonly [string, NamedTensor])[] | undefined

function build(
  component: WeightComponent,
  stored: StoredTensors,
  prefix: string,
  rename: Rename,
  isIgnorable?: (name: string) => boolean,
): TensorSource {
  const label = COMPONENT_LABELS[component]
  const tensors = new Map<string, NamedTensor>()
  const unmapped: string[] = []
  for (const [fullName, tensor] of stored) {
    if (!fullName.startsWith(prefix) || isIgnorableInFile(fullName)) continue
    const name = fullName.slice(prefix.length)
    const found = isIgnorable?.(name) ? [] : rename(name, tensor)
    if (!found) unmapped.push(fullName)
    for (const [canonical, { tensor: view }] of found ?? []) {
      if (tensors.has(canonical)) throw new WeightError(`the ${label} has the tensor ${canonical} twice, the other time as ${fullName}`)
      tensors.set(canonical, { original: fullName, tensor: view })
    }
  }
  if (tensors.size === 0) throw new WeightError(`the checkpoint has no ${label}: it holds no tensor under ${prefix}`)
  return new TensorSource({
    label,
    tensors,
    unmapped,
    isIgnorable: name => isIgnorableTensor(component, name),
    canonicalName: name => canonicalTensorName(component, name),
  })
}

function one(
  canonical: string | undefined,
  original: string,
  tensor: StoredTensor,
): readonly (readonly [string, NamedTensor])[] | undefined {
  return canonical === undefined ? undefined : [[canonical, { original, tensor }]]
}

function hasPrefix(stored: StoredTensors, prefix: string): boolean {
  for (const name of stored.keys()) if (name.startsWith(prefix)) return true
  return false
}

function isIgnorableInFile(name: string): boolean {
  return IGNORABLE.some(pattern => pattern.test(name))
}
