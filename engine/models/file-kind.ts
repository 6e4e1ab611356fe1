import type { StoredTensors } from '../weights/stored-tensor.ts'
import { ModelType } from './model-spec.ts'

// The first kind whose names a file has; checkpoints come first, because they hold the names of a VAE too.
const KINDS: readonly (readonly [ModelType, RegExp])[] = [
  [ModelType.checkpoint, /^(model\.diffusion_model|cond_stage_model|conditioner\.embedders)\./],
  [
    ModelType.lora,
    /^lora_(unet|te\d?)_|\.lora_(A|B|down|up)\.|\.(lora_down|lora_up|lora_A|lora_B|hada_w1_a|lokr_w1|lokr_w1_a)(\.|$)|[._]lora\.(down|up)\.|\.lora_linear_layer\./,
  ],
  [ModelType.controlNet, /^control_model\.|^(controlnet_cond_embedding|controlnet_down_blocks|controlnet_mid_block)\.|^input_hint_block\./],
  [ModelType.ipAdapter, /^(image_proj|ip_adapter)\./],
  [ModelType.embedding, /^(emb_params|string_to_param(\..+)?|clip_[lg]|<.+>)$/],
  [ModelType.vae, /^(first_stage_model\.)?((encoder|decoder)\.(conv_in|conv_out)|post_quant_conv)\./],
]

/** What a `.safetensors` file is, told from its tensors' names; undefined for names of nothing known. */
export function fileKind(tensors: StoredTensors): ModelType | undefined {
  const names = [...tensors.keys()]
  const known = KINDS.find(([, pattern]) => names.some(name => pattern.test(name)))?.[0]
  if (known !== undefined) return known
  // An embedding may be stored under its token, which can be any word.
  const [only] = tensors.values()
  return tensors.size === 1 && only !== undefined && [1, 2].includes(only.shape.length) ? ModelType.embedding : undefined
}
