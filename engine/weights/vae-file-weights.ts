import { componentSource } from './folder-weights.ts'
import { ldmVaeNames } from './ldm-vae-names.ts'
import type { StoredTensor, StoredTensors } from './stored-tensor.ts'
import type { TensorSource } from './tensor-source.ts'

/** The weights of a VAE that is a file by itself. */
export interface VaeFileWeights {
  readonly weights: TensorSource
  /** Tensors that no VAE has. */
  readonly strangers: readonly string[]
}

/** In front of the names where a tool has cut the VAE out of a checkpoint. */
const CHECKPOINT_PREFIX = /^first_stage_model\./
/** What training leaves: the loss network and the moving average of the weights. */
const IGNORABLE = /^(loss\.|logvar$|model_ema\.)/
const ORIGINAL_BLOCK = /^decoder\.up\.(\d+)\./

/** The tensors of a VAE's file, under diffusers' names, from diffusers' or the original ones. Throws a WeightError for a name that is there twice. */
export function vaeFileWeights(stored: StoredTensors): VaeFileWeights {
  const bare = [...stored].map(([name, tensor]) => [name.replace(CHECKPOINT_PREFIX, ''), tensor] as const).filter(([name]) => !IGNORABLE.test(name))
  const levels = bare.flatMap(([name]) => ORIGINAL_BLOCK.exec(name)?.[1] ?? []).map(Number)
  const rename = levels.length > 0 ? ldmVaeNames(Math.max(...levels) + 1) : (name: string) => name
  const tensors = new Map<string, StoredTensor>()
  const strangers: string[] = []
  for (const [name, tensor] of bare) {
    const renamed = rename(name)
    if (renamed === undefined) strangers.push(name)
    else tensors.set(renamed, tensor)
  }
  return { weights: componentSource('vae', tensors), strangers }
}
