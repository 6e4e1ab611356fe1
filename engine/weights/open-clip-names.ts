import type { NamedTensor } from './tensor-source.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { slicedView, transposedView } from './tensor-views.ts'

const FIXED: Readonly<Record<string, string>> = {
  positional_embedding: 'text_model.embeddings.position_embedding.weight',
  'token_embedding.weight': 'text_model.embeddings.token_embedding.weight',
  'ln_final.weight': 'text_model.final_layer_norm.weight',
  'ln_final.bias': 'text_model.final_layer_norm.bias',
}
const LAYER_PARTS: Readonly<Record<string, string>> = {
  ln_1: 'layer_norm1',
  ln_2: 'layer_norm2',
  'mlp.c_fc': 'mlp.fc1',
  'mlp.c_proj': 'mlp.fc2',
  'attn.out_proj': 'self_attn.out_proj',
}
const LAYER = /^transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)$/
const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj'] as const
const IGNORABLE = /^(logit_scale|attn_mask)$/

/**
 * The tensors of an OpenCLIP text encoder under transformers' names; undefined for a name it does not have.
 * The attention's query, key and value are one matrix there: each becomes a byte range of it.
 */
export function openClipTensors(name: string, tensor: StoredTensor): readonly (readonly [string, NamedTensor])[] | undefined {
  const named = (canonical: string, view = tensor): readonly [string, NamedTensor] => [canonical, { original: name, tensor: view }]
  // The projection into the space CLIP shares with pictures, a parameter and no layer there: it multiplies from the right.
  if (name === 'text_projection') return [named('text_projection.weight', transposedView(tensor))]
  const fixed = FIXED[name]
  if (fixed) return [named(fixed)]
  const [, layer, part = '', kind = ''] = LAYER.exec(name) ?? []
  if (layer === undefined) return undefined
  const prefix = `text_model.encoder.layers.${layer}`
  if (part === 'attn.in_proj') {
    return PROJECTIONS.map((projection, index) =>
      named(`${prefix}.self_attn.${projection}.${kind}`, slicedView(tensor, index, PROJECTIONS.length, name)),
    )
  }
  const canonical = LAYER_PARTS[part]
  return canonical ? [named(`${prefix}.${canonical}.${kind}`)] : undefined
}

/**
 * Whether a tensor of an OpenCLIP text encoder may stay unused. That is the last layer of a file with one layer
 * more than the configuration has: SD 2.x takes the states before it, and files keep it.
 */
export function isIgnorableOpenClip(name: string, layers: number): boolean {
  return IGNORABLE.test(name) || name.startsWith(`transformer.resblocks.${layers}.`)
}
