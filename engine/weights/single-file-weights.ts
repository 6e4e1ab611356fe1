import { COMPONENT_LABELS, TEXT_ENCODERS, canonicalTensorName, isIgnorableTensor } from './component-names.ts'
import type { Components, TextEncoderComponent, WeightComponent } from './component-names.ts'
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
  /** Layers that are used of each text encoder the model has. */
  readonly textLayers: Readonly<Partial<Record<TextEncoderComponent, number>>>
}

/** The weights of a single-file checkpoint, by component, under diffusers' and transformers' names. */
export interface SingleFileWeights {
  readonly components: Components<TensorSource>
  /** Tensors that belong to no component and are not known to be ignorable. */
  readonly strangers: readonly string[]
}

const UNET = 'model.diffusion_model.'
const VAE = 'first_stage_model.'

/** Where a text encoder may lie in a file, and whether in OpenCLIP's form; the first place that holds anything counts. */
interface TextPlace {
  readonly prefix: string
  readonly isOpenClip: boolean
}
const TEXT_PLACES: Readonly<Record<TextEncoderComponent, readonly [TextPlace, ...TextPlace[]]>> = {
  text_encoder: [
    { prefix: 'cond_stage_model.transformer.', isOpenClip: false },
    { prefix: 'cond_stage_model.model.', isOpenClip: true },
    { prefix: 'conditioner.embedders.0.transformer.', isOpenClip: false },
  ],
  text_encoder_2: [
    { prefix: 'conditioner.embedders.1.model.', isOpenClip: true },
    { prefix: 'conditioner.embedders.0.model.', isOpenClip: true },
  ],
}

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
  const textPlaces = TEXT_ENCODERS.filter(component => layout.textLayers[component] !== undefined).map(
    component => [component, placeOf(stored, component)] as const,
  )
  const textEncoders = textPlaces.map(([component, place]) => {
    return [component, textEncoder(component, stored, place, layout.textLayers[component] ?? 0)] as const
  })
  const components = {
    ...(Object.fromEntries(textEncoders) as Partial<Record<TextEncoderComponent, TensorSource>>),
    unet: build('unet', stored, UNET, (name, tensor) => one(unetName(name), name, tensor)),
    vae: build('vae', stored, VAE, (name, tensor) => one(vaeName(name), name, name.includes('.attn_') ? linearView(tensor) : tensor)),
  }
  const prefixes = [UNET, VAE, ...textPlaces.map(([, { prefix }]) => prefix)]
  const strangers = [...stored.keys()].filter(name => !prefixes.some(prefix => name.startsWith(prefix)) && !isIgnorableInFile(name))
  return { components, strangers }
}

function placeOf(stored: StoredTensors, component: TextEncoderComponent): TextPlace {
  const places = TEXT_PLACES[component]
  return places.find(({ prefix }) => hasPrefix(stored, prefix)) ?? places[0]
}

function textEncoder(component: TextEncoderComponent, stored: StoredTensors, { prefix, isOpenClip }: TextPlace, layers: number): TensorSource {
  if (isOpenClip) return build(component, stored, prefix, openClipTensors, name => isIgnorableOpenClip(name, layers))
  return build(component, stored, prefix, (name, tensor) => one(canonicalTensorName(component, name), name, tensor))
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
