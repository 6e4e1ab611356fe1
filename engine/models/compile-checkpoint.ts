import { buildClipText } from '../architectures/clip-text.ts'
import { parseClipTextConfig } from '../architectures/clip-text-config.ts'
import { integerLayers } from '../architectures/integer-layers.ts'
import type { ModelPrecision } from '../architectures/integer-layers.ts'
import { buildPromptProjection } from '../architectures/prompt-projection.ts'
import { parseUnetConfig } from '../architectures/unet-config.ts'
import { buildUnet } from '../architectures/unet.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import { layersWith } from '../graph/create-layers.ts'
import type { LayerChoice } from '../graph/create-layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import { COMPONENT_LABELS, textEncodersOf } from '../weights/component-names.ts'
import type { LoraComponent } from '../weights/lora-modules.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import { addedInputsOf } from './added-inputs.ts'
import { FAMILY_TEXT_ENCODERS } from './family-text-encoders.ts'
import { compileVae } from './compile-vae.ts'
import type { CompiledModel } from './compiled-model.ts'
import type { LoadedVae, TokenizerFiles } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import { refuseUnused } from './refuse-unused.ts'

/** The graphs of a checkpoint, ready to be opened. */
export interface CompiledCheckpoint {
  /** In the order of the components. */
  readonly textEncoders: readonly ModelGraph[]
  readonly unet: ModelGraph
  /** What makes the keys and values that the UNet takes; absent where it makes them itself. */
  readonly promptProjection: ModelGraph | undefined
  readonly vae: CompiledModel<LoadedVae>
}

/** Whether a layer of a component gets inputs for LoRAs. */
export type LoraChoice = (component: LoraComponent, layer: string) => boolean

/** What a checkpoint is compiled for beside a device. */
export interface CheckpointOptions {
  /** @default none */
  readonly takesLora?: LoraChoice
  /** Of the UNet; the rest always computes in floating-point numbers. @default what suits the device */
  readonly precision?: ModelPrecision
}

/**
 * Compiles a checkpoint's components to graphs. Throws a ModelError, WeightError or ConfigError when a tensor is missing or
 * of another shape, when a configuration asks for what cannot be computed, or when tensors are left that nothing uses:
 * those mean that the configuration and the weights do not belong together.
 */
export function compileCheckpoint(checkpoint: Checkpoint, lowering: Lowering, options: CheckpointOptions = {}): CompiledCheckpoint {
  checkFit(checkpoint)
  const { family, configs, weights, strangers } = checkpoint
  const { takesLora = () => false, precision = 'default' } = options
  const choiceOf = (component: LoraComponent): LayerChoice => ({ takesLora: layer => takesLora(component, layer) })
  const unetLayers = layersWith({ ...choiceOf('unet'), isInteger: integerLayers(precision) })
  const graphs = {
    textEncoders: textEncodersOf(configs).map(([component, config]) => {
      const role = FAMILY_TEXT_ENCODERS[family][component]
      return buildClipText(config, weights[component] as TensorSource, lowering, layersWith(choiceOf(component)), role)
    }),
    unet: buildUnet(configs.unet, weights.unet, lowering, unetLayers),
    promptProjection: buildPromptProjection(configs.unet, weights.unet, lowering, unetLayers),
    vae: compileVae(configs.vae, weights.vae, lowering),
  }
  refuseUnused([...Object.values(weights).flatMap(source => source.unused()), ...strangers])
  return graphs
}

/** Components from different models: each is sound alone, and their sizes do not meet. */
function checkFit({ configs, tokenizers }: Checkpoint): void {
  const texts = textEncodersOf(configs).map(([component, config]) => [component, parseClipTextConfig(config)] as const)
  const unet = parseUnetConfig(configs.unet)
  const vae = parseVaeConfig(configs.vae)
  const expect = (what: string, left: number, right: number): void => {
    if (left !== right) throw new ModelError(`its components do not fit together: ${what} (${left} and ${right})`)
  }
  const stateWidth = texts.reduce((sum, [, { width }]) => sum + width, 0)
  expect('the text encoder gives states of another width than the unet takes', stateWidth, unet.contextWidth)
  addedInputsOf(configs)
  expect('the vae has other latent channels than the unet gives', vae.latentChannels, unet.outChannels)
  // An inpainting network sees the mask and the latents of what is left of the picture beside its sample.
  const takesMask = unet.inChannels === 2 * unet.outChannels + 1
  if (!takesMask) expect('the unet takes other latent channels than it gives', unet.inChannels, unet.outChannels)
  for (const [component, text] of texts) {
    const { modelMaxLength, highestId } = tokenizers[component] as TokenizerFiles
    expect('the tokenizer has another length than the text encoder', modelMaxLength, text.tokens)
    if (highestId >= text.vocabularySize)
      throw new ModelError(`its tokenizer has the token ${highestId}, and its ${COMPONENT_LABELS[component]} knows ${text.vocabularySize}`)
  }
}
