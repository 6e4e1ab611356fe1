/** Text encoders a checkpoint may have, in the order in which their states lie side by side. */
export const TEXT_ENCODERS = ['text_encoder', 'text_encoder_2'] as const
export type TextEncoderComponent = (typeof TEXT_ENCODERS)[number]

/** The parts of a checkpoint whose weights are read. */
export type WeightComponent = TextEncoderComponent | 'unet' | 'vae'

/** Something for each component a checkpoint has: a UNet, a VAE and at least one text encoder. */
export type Components<T> = Readonly<Record<'unet' | 'vae', T>> & Readonly<Partial<Record<TextEncoderComponent, T>>>

/** File stem of a component's weights in a diffusers folder. */
export const WEIGHT_STEMS = {
  text_encoder: 'model',
  text_encoder_2: 'model',
  unet: 'diffusion_pytorch_model',
  vae: 'diffusion_pytorch_model',
} as const

/** What messages call a component. */
export const COMPONENT_LABELS = {
  text_encoder: 'text encoder',
  text_encoder_2: 'second text encoder',
  unet: 'unet',
  vae: 'vae',
} as const

const TEXT_PREFIX = 'text_model.'
// What a whole CLIP model's file holds beside the text encoder's hidden states, and buffers older writers stored.
const TEXT_IGNORABLE = [
  /^text_model\.embeddings\.position_ids$/,
  /^(text_model\.)?text_projection(\.weight)?$/,
  /^(text_model\.)?logit_scale$/,
  /^vision_model\./,
  /^visual_projection\.weight$/,
]

const IGNORABLE: Readonly<Record<WeightComponent, readonly RegExp[]>> = {
  text_encoder: TEXT_IGNORABLE,
  text_encoder_2: TEXT_IGNORABLE,
  unet: [],
  vae: [],
}

/** Whether a tensor of a component, by its canonical name, may stay unused. */
export function isIgnorableTensor(component: WeightComponent, name: string): boolean {
  return IGNORABLE[component].some(pattern => pattern.test(name))
}

/**
 * The canonical name of a component's tensor, from any spelling diffusers and transformers have used:
 * text encoders with and without `text_model.`, VAE attention as `query`, `key`, `value`, `proj_attn`.
 */
export function canonicalTensorName(component: WeightComponent, name: string): string {
  if (isTextEncoder(component)) return /^(embeddings|encoder|final_layer_norm)\./.test(name) ? TEXT_PREFIX + name : name
  if (component === 'vae')
    return name.replace(
      /(\.attentions\.\d+)\.(query|key|value|proj_attn)\./,
      (_, block: string, old: string) => `${block}.${VAE_ATTENTION[old]}.`,
    )
  return name
}

/** Whether a component is one of the text encoders. */
export function isTextEncoder(component: WeightComponent): component is TextEncoderComponent {
  return TEXT_ENCODERS.some(each => each === component)
}

/** The text encoders among the components of a checkpoint, in order. */
export function textEncodersOf<T>(components: Components<T>): readonly (readonly [TextEncoderComponent, T])[] {
  return TEXT_ENCODERS.flatMap(component => {
    const found = components[component]
    return found === undefined ? [] : [[component, found] as const]
  })
}

/** Makes something of each component. */
export function mapComponents<T, U>(components: Components<T>, make: (value: T, component: WeightComponent) => U): Components<U> {
  const entries = Object.entries(components) as readonly (readonly [WeightComponent, T])[]
  return Object.fromEntries(entries.map(([component, value]) => [component, make(value, component)])) as Components<U>
}

const VAE_ATTENTION: Readonly<Record<string, string>> = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' }
