import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { buildSafetyChecker, parseSafetyCheckerConfig } from '../architectures/safety-checker.ts'
import type { Lowering } from '../graph/model-graph.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import { openClipVisionWeights } from '../weights/clip-vision-weights.ts'
import { clipImageSettings } from './clip-image-settings.ts'
import type { CompiledModel } from './compiled-model.ts'
import { elementCount } from './held-bytes.ts'
import { readJsonFile } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import type { LoadedSafetyChecker } from './loaded-model.ts'
import type { ModelSpec } from './model-spec.ts'
import { refuseUnused } from './refuse-unused.ts'

const CONFIG = 'config.json'
const PREPROCESSOR = 'preprocessor_config.json'
/** It computes in float32 on every device. */
const BYTES_PER_ELEMENT = 4

/**
 * Compiles a safety checker from its folder: `config.json`, `model.safetensors` and, here or in the `feature_extractor` folder
 * beside, `preprocessor_config.json`. Throws a ModelError, WeightError or ConfigError with a sentence for people.
 */
export async function safetyCheckerModel({ air, path }: Pick<ModelSpec, 'air' | 'path'>, lowering: Lowering): Promise<CompiledModel<LoadedSafetyChecker>> {
  const config = await readJsonFile(join(path, CONFIG), path, CONFIG)
  const { imageSize } = parseSafetyCheckerConfig(config).vision
  const settings = clipImageSettings(imageSize, await readPreprocessor(path))
  const weights = await openClipVisionWeights(path, path, 'safety checker')
  const graph = buildSafetyChecker(config, weights, lowering)
  refuseUnused(weights.unused())
  return {
    byteLength: BYTES_PER_ELEMENT * elementCount(weights.used()),
    graphs: [graph],
    assemble: ([session]) => ({ air, imageSize, settings, session: session as ModelSession }),
  }
}

/** A checkpoint's own checker shares the checkpoint's feature extractor; one by itself has the file beside its weights. */
async function readPreprocessor(folder: string): Promise<JsonObject | undefined> {
  const beside = join(dirname(folder), 'feature_extractor')
  for (const place of [folder, beside]) {
    const names: readonly string[] = await readdir(place).catch(() => [])
    if (names.includes(PREPROCESSOR)) return readJsonFile(join(place, PREPROCESSOR), place, PREPROCESSOR)
  }
  return undefined
}
