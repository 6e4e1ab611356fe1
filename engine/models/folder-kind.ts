import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readJsonFile } from './json-file.ts'
import { ModelType } from './model-spec.ts'

/**
 * What a folder holds, by the class that its `config.json` names, in diffusers' way or in transformers'; a whole model has a
 * `model_index.json` instead.
 */
const KINDS: ReadonlyMap<unknown, ModelType> = new Map<unknown, ModelType>([
  ['AutoencoderKL', ModelType.vae],
  ['StableDiffusionSafetyChecker', ModelType.safetyChecker],
  ['ControlNetModel', ModelType.controlNet],
])

/** The kind of model a folder is, as far as its files tell; whatever else there is has to be a checkpoint. */
export async function folderKind(folder: string): Promise<ModelType> {
  const names = await readdir(folder)
  if (names.includes('model_index.json') || !names.includes('config.json')) return ModelType.checkpoint
  const { _class_name: name, architectures } = await readJsonFile(join(folder, 'config.json'), folder, 'config.json')
  const [first] = Array.isArray(architectures) ? (architectures as readonly unknown[]) : []
  return KINDS.get(name ?? first) ?? ModelType.checkpoint
}
