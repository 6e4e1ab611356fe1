import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PENULTIMATE_STATES, PENULTIMATE_STATES_AND_TEXT, buildClipText } from '../../../engine/architectures/clip-text.ts'
import { buildPromptProjection } from '../../../engine/architectures/prompt-projection.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { buildVaeDecoder } from '../../../engine/architectures/vae-decoder.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import type { Lowering, ModelGraph } from '../../../engine/graph/model-graph.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import type { TextEncoderComponent, WeightComponent } from '../../../engine/weights/component-names.ts'
import type { WeightSource } from '../../../engine/weights/weight-source.ts'
import { REFERENCE } from './reference-tensors.ts'

/** The reference models, and the text encoders of each. */
export const TEXT_ENCODERS = {
  'sd1-tiny': ['text_encoder'],
  'sd2-tiny': ['text_encoder'],
  'mixed-tiny': ['text_encoder'],
  'sdxl-tiny': ['text_encoder', 'text_encoder_2'],
  'sdxl-refiner-tiny': ['text_encoder_2'],
} as const satisfies Readonly<Record<string, readonly TextEncoderComponent[]>>
export type ReferenceModel = keyof typeof TEXT_ENCODERS
export const REFERENCE_MODELS = Object.keys(TEXT_ENCODERS) as readonly ReferenceModel[]

export type Component = WeightComponent
type Builder = (config: Readonly<Record<string, unknown>>, source: WeightSource, lowering: Lowering, makeLayers?: LayersFactory) => ModelGraph
export const BUILDERS: Readonly<Record<Component, Builder>> = {
  text_encoder: buildClipText,
  text_encoder_2: (config, source, lowering, makeLayers) =>
    buildClipText(config, source, lowering, makeLayers, PENULTIMATE_STATES_AND_TEXT),
  unet: buildUnet,
  vae: buildVaeDecoder,
}

export function readConfig(model: string, component: Component): Record<string, unknown> {
  return JSON.parse(readFileSync(join(REFERENCE, 'models', model, component, 'config.json'), 'utf8')) as Record<string, unknown>
}

/** Compiles a network of a reference model as the loader does; with a UNet what makes its keys and values. */
export async function buildReference(
  model: string, component: Component, lowering: Lowering = 'cpu', makeLayers?: LayersFactory,
): Promise<{ graph: ModelGraph; projection: ModelGraph | undefined; weights: WeightSource }> {
  const weights = await openFolderWeights(join(REFERENCE, 'models', model), component)
  const config = readConfig(model, component)
  const isFirstOfTwo = component === 'text_encoder' && model.startsWith('sdxl')
  const graph = isFirstOfTwo
    ? buildClipText(config, weights, lowering, makeLayers, PENULTIMATE_STATES)
    : BUILDERS[component](config, weights, lowering, makeLayers)
  return { graph, projection: component === 'unet' ? buildPromptProjection(config, weights, lowering, makeLayers) : undefined, weights }
}
