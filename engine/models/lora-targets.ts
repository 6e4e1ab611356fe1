import { buildClipText } from '../architectures/clip-text.ts'
import { buildPromptProjection } from '../architectures/prompt-projection.ts'
import { buildUnet } from '../architectures/unet.ts'
import { layersWith } from '../graph/create-layers.ts'
import { loraInputsOf } from '../graph/lora-inputs.ts'
import type { LoraLayer } from '../graph/lora-inputs.ts'
import type { ModelGraph } from '../graph/model-graph.ts'
import { textEncodersOf } from '../weights/component-names.ts'
import { ldmLayerKeys } from '../weights/ldm-unet-names.ts'
import { loraLayerKey } from '../weights/lora-modules.ts'
import type { LoraComponent, LoraModule } from '../weights/lora-modules.ts'
import { quoteName } from '../weights/quote-name.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import { FAMILY_TEXT_ENCODERS } from './family-text-encoders.ts'
import { ModelError } from './model-error.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import { singleFileLayout } from './single-file-layout.ts'

/** The layers of a checkpoint that LoRAs can add to. */
export interface LoraTargets {
  /** @param layer in the form in which names are compared, as diffusers or as the original checkpoints name it */
  find(component: LoraComponent, layer: string): LoraLayer | undefined
}

/** All layers of a checkpoint that LoRAs can add to. */
export function loraTargets({ family, configs, weights }: Checkpoint): LoraTargets {
  const all = layersWith({ takesLora: () => true })
  const layers = new Map<string, LoraLayer>()
  const note = (component: LoraComponent, { inputs }: ModelGraph): void => {
    for (const layer of loraInputsOf(inputs)) layers.set(`${component} ${loraLayerKey(component, layer.name)}`, layer)
  }
  note('unet', buildUnet(configs.unet, weights.unet, 'cpu', all))
  const promptProjection = buildPromptProjection(configs.unet, weights.unet, 'cpu', all)
  if (promptProjection) note('unet', promptProjection)
  for (const [component, config] of textEncodersOf(configs)) {
    note(component, buildClipText(config, weights[component] as TensorSource, 'cpu', all, FAMILY_TEXT_ENCODERS[family][component]))
  }
  let originalKeys: ReturnType<typeof ldmLayerKeys> | undefined
  return {
    find(component, layer) {
      const found = layers.get(`${component} ${layer}`)
      if (found || component !== 'unet') return found
      // Hundreds of layers are looked up, mostly all of them or none under their original names.
      originalKeys ??= ldmLayerKeys(singleFileLayout(configs).unet)
      return layers.get(`${component} ${originalKeys(layer)}`)
    },
  }
}

/** The layer that each module of a LoRA adds to. Throws a ModelError that names the first key that fits none. */
export function matchLora(modules: readonly LoraModule[], targets: LoraTargets): readonly LoraLayer[] {
  const matched = new Set<LoraLayer>()
  return modules.map(module => {
    const { component, layer, inputs, outputs, kernel } = module
    const key = `its key ${quoteName(module.key)} is of a layer`
    const target = targets.find(component, layer)
    if (!target) throw new ModelError(`${key} that the checkpoint does not have`)
    if (inputs !== target.inputs || outputs !== target.outputs || kernel !== target.kernel) {
      throw new ModelError(`${key} from ${shapeOf(module)}, and the checkpoint's is from ${shapeOf(target)}`)
    }
    if (matched.has(target)) throw new ModelError(`${key} that another one is of under another name`)
    matched.add(target)
    return target
  })
}

function shapeOf({ inputs, outputs, kernel }: Omit<LoraLayer, 'name'>): string {
  return `${inputs} to ${outputs}${kernel > 1 ? ` with a kernel of ${kernel}` : ''}`
}
