import type { TextEncoderComponent } from './component-names.ts'
import { loraScaling } from './lora-metadata.ts'
import type { LoraScaling } from './lora-metadata.ts'
import { refuseForeignKey } from './lora-refusals.ts'
import { quoteName } from './quote-name.ts'
import type { SafetensorsFile } from './safetensors.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { linearView } from './tensor-views.ts'
import { WeightError } from './weight-error.ts'

/** Parts of a checkpoint that a LoRA may add to. */
export type LoraComponent = 'unet' | TextEncoderComponent

/** What a LoRA file adds to one layer, as the file's header has it. */
export interface LoraModule {
  /** Its first key in the file, for messages. */
  readonly key: string
  readonly component: LoraComponent
  /** Name of the layer with underscores for dots: trainers in kohya's style write no other. */
  readonly layer: string
  readonly rank: number
  readonly inputs: number
  readonly outputs: number
  /** 1 for a linear layer. */
  readonly kernel: number
  /** [rank, inputs] or [rank, inputs, kernel, kernel]. */
  readonly down: StoredTensor
  /** [outputs, rank]. */
  readonly up: StoredTensor
  /** What up · down is multiplied by, or the tensor of one number, alpha, that is divided by the rank for it. */
  readonly scaling: StoredTensor | { readonly factor: number }
}

type Part = 'down' | 'up' | 'alpha'

interface Place {
  readonly component: LoraComponent
  /** The layer's name as the file has it. */
  readonly path: string
}

interface Found extends Place {
  readonly key: string
  readonly parts: Map<Part, StoredTensor>
}

// Where in a key the layer ends and its part begins, for every style that is written: kohya, peft, diffusers.
const STYLES: readonly RegExp[] = [
  /^(?<layer>.+)\.lora_(?<part>down|up|A|B)(\.[A-Za-z0-9_-]+)?\.weight$/,
  /^(?<layer>.+)\.lora(_linear_layer)?\.(?<part>down|up)\.weight$/,
  /^(?<layer>.+?)(\.processor)?\.(?<projection>to_[qkv]|to_out)_lora\.(?<part>down|up)\.weight$/,
  /^(?<layer>.+)\.(?<part>alpha)$/,
]
const PARTS: Readonly<Record<string, Part>> = { down: 'down', A: 'down', up: 'up', B: 'up', alpha: 'alpha' }
/** What the oldest style of diffusers calls the projections of an attention, in the UNet and in the text encoder. */
const PROJECTIONS: Readonly<Record<string, Readonly<Record<'unet' | 'text', string>>>> = {
  to_q: { unet: 'to_q', text: 'q_proj' },
  to_k: { unet: 'to_k', text: 'k_proj' },
  to_v: { unet: 'to_v', text: 'v_proj' },
  to_out: { unet: 'to_out.0', text: 'out_proj' },
}
const COMPONENTS: readonly (readonly [RegExp, LoraComponent])[] = [
  [/^(lora_unet_|unet\.)/, 'unet'],
  [/^(lora_te1?_|text_encoder\.)/, 'text_encoder'],
  [/^(lora_te2_|text_encoder_2\.)/, 'text_encoder_2'],
]
const FLOATS: readonly string[] = ['F32', 'F16', 'BF16']

/**
 * What a LoRA file holds, layer by layer. Throws a WeightError that names the key when one is of a kind that is not
 * computed (DoRA, LoHa, LoKr and others), belongs to no layer, or lacks its counterpart.
 */
export function loraModules({ tensors, metadata }: SafetensorsFile): readonly LoraModule[] {
  const found = new Map<string, Found>()
  for (const [key, tensor] of tensors) {
    refuseForeignKey(key)
    const { part, ...place } = split(key)
    const id = `${place.component} ${loraLayerKey(place.component, place.path)}`
    const module = found.get(id) ?? { ...place, key, parts: new Map() }
    if (module.parts.has(part)) throw new WeightError(`its key ${quoteName(key)} says again what another one said`)
    module.parts.set(part, tensor)
    found.set(id, module)
  }
  if (found.size === 0) throw new WeightError('it holds no tensor')
  const scaling = loraScaling(metadata)
  return [...found.values()].map(module => describe(module, scaling))
}

/** The form in which a layer's name is compared: underscores for dots, and without what only some writers put in front. */
export function loraLayerKey(component: LoraComponent, name: string): string {
  const key = name.replaceAll('.', '_')
  return component === 'unet' ? key : key.replace(/^text_model_/, '')
}

function split(key: string): Place & { readonly part: Part } {
  for (const style of STYLES) {
    const { layer, part, projection } = style.exec(key)?.groups ?? {}
    if (layer === undefined || part === undefined) continue
    const inner = projection && PROJECTIONS[projection]?.[layer.endsWith('self_attn') ? 'text' : 'unet']
    return { ...placeOf(inner ? `${layer}.${inner}` : layer), part: PARTS[part] as Part }
  }
  throw new WeightError(`its key ${quoteName(key)} is none of a LoRA`)
}

/** Keys without a component in front are the UNet's: its attention processors were once saved alone. */
function placeOf(layer: string): Place {
  const name = layer.replace(/^base_model\.model\./, '')
  const [pattern, component] = COMPONENTS.find(([each]) => each.test(name)) ?? [/^/, 'unet' as const]
  return { component, path: name.replace(pattern, '') }
}

function describe({ key, component, path, parts }: Found, scaling: LoraScaling): LoraModule {
  const [down, up] = [factorOf(key, parts, 'down'), factorOf(key, parts, 'up')]
  const [rank = 0, inputs = 0, kernel = 1, width = kernel] = down.shape
  const [outputs = 0, upRank = 0] = up.shape
  const isSquare = kernel === width && kernel % 2 === 1 && [2, 4].includes(down.shape.length)
  if (!isSquare || up.shape.length !== 2 || rank < 1 || upRank !== rank) {
    const shapes = `[${down.shape.join(', ')}] and [${up.shape.join(', ')}]`
    throw new WeightError(`its key ${quoteName(key)} is of a layer whose weights have the shapes ${shapes}, which are no two factors`)
  }
  const layer = loraLayerKey(component, path)
  const factor = scaling(component, path, rank)
  const alpha = factor === undefined ? parts.get('alpha') : undefined
  if (alpha?.shape.some(dim => dim !== 1)) throw new WeightError(`the alpha beside its key ${quoteName(key)} is not one number`)
  return { key, component, layer, rank, inputs, outputs, kernel, down, up, scaling: alpha ?? { factor: factor ?? 1 } }
}

function factorOf(key: string, parts: ReadonlyMap<Part, StoredTensor>, part: 'down' | 'up'): StoredTensor {
  const tensor = parts.get(part)
  if (!tensor) throw new WeightError(`its key ${quoteName(key)} has no counterpart: the layer's ${part} weights are not there`)
  if (!FLOATS.includes(tensor.dtype)) throw new WeightError(`its key ${quoteName(key)} is of a layer that is stored as ${tensor.dtype}, which cannot be computed with`)
  return linearView(tensor)
}
