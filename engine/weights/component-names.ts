/** The parts of a checkpoint whose weights are read. */
export type WeightComponent = 'text_encoder' | 'unet' | 'vae'

/** File stem of a component's weights in a diffusers folder. */
export const WEIGHT_STEMS = { text_encoder: 'model', unet: 'diffusion_pytorch_model', vae: 'diffusion_pytorch_model' } as const

/** What messages call a component. */
export const COMPONENT_LABELS = { text_encoder: 'text encoder', unet: 'unet', vae: 'vae' } as const

const TEXT_PREFIX = 'text_model.'
// What a whole CLIP model's file holds beside the text encoder's hidden states, and buffers older writers stored.
const TEXT_IGNORABLE = [
  /^text_model\.embeddings\.position_ids$/,
  /^(text_model\.)?text_projection(\.weight)?$/,
  /^(text_model\.)?logit_scale$/,
  /^vision_model\./,
  /^visual_projection\.weight$/,
]
// The decoder is what turns latents into pictures; the encoder's part of the same file waits for requests that bring a picture.
const VAE_IGNORABLE = [/^encoder\.(conv_in|conv_norm_out|conv_out|mid_block|down_blocks\.\d+)\./, /^quant_conv\.(weight|bias)$/]

const IGNORABLE: Readonly<Record<WeightComponent, readonly RegExp[]>> = { text_encoder: TEXT_IGNORABLE, unet: [], vae: VAE_IGNORABLE }

/** Whether a tensor of a component, by its canonical name, may stay unused. */
export function isIgnorableTensor(component: WeightComponent, name: string): boolean {
  return IGNORABLE[component].some(pattern => pattern.test(name))
}

/**
 * The canonical name of a component's tensor, from any spelling diffusers and transformers have used:
 * text encoders with and without `text_model.`, VAE attention as `query`, `key`, `value`, `proj_attn`.
 */
export function canonicalTensorName(component: WeightComponent, name: string): string {
  if (component === 'text_encoder') return /^(embeddings|encoder|final_layer_norm)\./.test(name) ? TEXT_PREFIX + name : name
  if (component === 'vae')
    return name.replace(
      /(\.attentions\.\d+)\.(query|key|value|proj_attn)\./,
      (_, block: string, old: string) => `${block}.${VAE_ATTENTION[old]}.`,
    )
  return name
}

const VAE_ATTENTION: Readonly<Record<string, string>> = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' }
