import { ldmUnetNames } from './ldm-unet-names.ts'
import type { UnetLayout } from './ldm-unet-names.ts'
import type { StoredTensors } from './stored-tensor.ts'
import { TensorSource } from './tensor-source.ts'
import type { NamedTensor } from './tensor-source.ts'
import { WeightError } from './weight-error.ts'

const PREFIX = 'control_model.'
/** In front of what only a file with the original names holds; diffusers writes none of them. */
const ORIGINAL = /^(control_model\.|(time_embed|input_blocks|middle_block|zero_convs|input_hint_block)\.)/
const ZERO_CONV = /^zero_convs\.(\d+)\.0\.(weight|bias)$/
const MIDDLE_OUT = /^middle_block_out\.0\.(weight|bias)$/
const HINT = /^input_hint_block\.(\d+)\.(weight|bias)$/
/** Convolutions of the guide's embedding stand at even places, activations between them. */
const HINT_STRIDE = 2

/** Whether a ControlNet's tensors have the names of the original code. */
function hasOriginalControlNetNames(stored: StoredTensors): boolean {
  return [...stored.keys()].some(name => ORIGINAL.test(name))
}

/**
 * The weights of a ControlNet under diffusers' names, from a file of either naming.
 * @param layout of the UNet it was made for, which numbers the blocks of the original naming
 */
export function controlNetWeights(stored: StoredTensors, layout: UnetLayout): TensorSource {
  const rename = hasOriginalControlNetNames(stored) ? originalNames(stored, layout) : (name: string) => name
  const tensors = new Map<string, NamedTensor>()
  const unmapped: string[] = []
  for (const [original, tensor] of stored) {
    const name = rename(original)
    if (name === undefined) {
      unmapped.push(original)
      continue
    }
    if (tensors.has(name)) throw new WeightError(`the ControlNet has the tensor ${name} twice, the other time as ${original}`)
    tensors.set(name, { original, tensor })
  }
  return new TensorSource({ label: 'ControlNet', tensors, unmapped, isIgnorable: () => false })
}

function originalNames(stored: StoredTensors, layout: UnetLayout): (name: string) => string | undefined {
  const unetName = ldmUnetNames(layout)
  const bare = (name: string): string => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name)
  const hints = [...stored.keys()].flatMap(name => HINT.exec(bare(name))?.[1] ?? [])
  const lastHint = Math.max(0, ...hints.map(Number))
  return original => {
    const name = bare(original)
    const [, zero, zeroKind] = ZERO_CONV.exec(name) ?? []
    if (zero !== undefined) return `controlnet_down_blocks.${zero}.${zeroKind}`
    const [, middleKind] = MIDDLE_OUT.exec(name) ?? []
    if (middleKind !== undefined) return `controlnet_mid_block.${middleKind}`
    const [, place, hintKind] = HINT.exec(name) ?? []
    return place === undefined ? unetName(name) : `controlnet_cond_embedding.${hintName(Number(place), lastHint)}.${hintKind}`
  }
}

function hintName(place: number, last: number): string {
  if (place === 0) return 'conv_in'
  return place === last ? 'conv_out' : `blocks.${place / HINT_STRIDE - 1}`
}
