import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildClipText } from '../../../engine/architectures/clip-text.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { buildVaeDecoder } from '../../../engine/architectures/vae-decoder.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import type { Lowering, ModelGraph } from '../../../engine/graph/model-graph.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import type { WeightSource } from '../../../engine/weights/weight-source.ts'
import { REFERENCE } from './reference-tensors.ts'

export const REFERENCE_MODELS = ['sd1-tiny', 'sd2-tiny', 'mixed-tiny'] as const
export const BUILDERS = { text_encoder: buildClipText, unet: buildUnet, vae: buildVaeDecoder } as const
export type Component = keyof typeof BUILDERS

export function readConfig(model: string, component: Component): Record<string, unknown> {
  return JSON.parse(readFileSync(join(REFERENCE, 'models', model, component, 'config.json'), 'utf8')) as Record<string, unknown>
}

/** Compiles a network of a reference model as the loader does. */
export async function buildReference(
  model: string, component: Component, lowering: Lowering = 'cpu', makeLayers?: LayersFactory,
): Promise<{ graph: ModelGraph; weights: WeightSource }> {
  const weights = await openFolderWeights(join(REFERENCE, 'models', model), component)
  return { graph: BUILDERS[component](readConfig(model, component), weights, lowering, makeLayers), weights }
}
