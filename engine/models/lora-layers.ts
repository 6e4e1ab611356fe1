import { readSafetensors } from '../weights/safetensors.ts'
import { loraModules } from '../weights/lora-modules.ts'
import type { LoraModule } from '../weights/lora-modules.ts'
import type { LoraChoice } from './compile-checkpoint.ts'
import { loraTargets, matchLora } from './lora-targets.ts'
import type { LoraTargets } from './lora-targets.ts'
import { modelFailure } from './model-failure.ts'
import { ModelType } from './model-spec.ts'
import type { ModelRegistry } from './model-spec.ts'
import type { Checkpoint } from './open-checkpoint.ts'

/** The modules of a LoRA file; only its header is read. */
export async function openLora(path: string): Promise<readonly LoraModule[]> {
  return loraModules(await readSafetensors(path))
}

/** What a checkpoint's graphs need to be ready for LoRAs, and which layers those may name. */
export interface LoraReadiness {
  readonly takesLora: LoraChoice
  readonly targets: LoraTargets
}

/**
 * Makes a checkpoint ready for the LoRAs of the models folders: the layers that any of them adds to get inputs. Only those,
 * because each costs something even in runs without LoRAs, and folders without LoRAs shall pay nothing. What the folders
 * have never changes while they are open.
 */
export async function prepareForLoras(checkpoint: Checkpoint, { models }: Pick<ModelRegistry, 'models'>): Promise<LoraReadiness> {
  const loras = models.filter(({ type }) => type === ModelType.lora)
  if (loras.length === 0) return { takesLora: () => false, targets: { find: () => undefined } }
  const targets = loraTargets(checkpoint)
  const layers = new Set<string>()
  for (const { path } of loras) for (const layer of await layersOf(path, targets)) layers.add(layer)
  return { targets, takesLora: (component, layer) => layers.has(`${component} ${layer}`) }
}

/** None for a LoRA of another architecture or one that has become unusable: whoever asks for it is told why. */
async function layersOf(path: string, targets: LoraTargets): Promise<readonly string[]> {
  try {
    const modules = await openLora(path)
    return matchLora(modules, targets).map(({ name }, index) => `${(modules[index] as LoraModule).component} ${name}`)
  } catch (error) {
    if (modelFailure(error) === undefined) throw error
    return []
  }
}
