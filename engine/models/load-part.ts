import type { ModelPrecision } from '../architectures/integer-layers.ts'
import type { Runtime } from '../runtime/model-session.ts'
import { airKey } from './air.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import { imagePromptModel } from './image-prompt-model.ts'
import { loadCheckpoint } from './load-checkpoint.ts'
import { loadEmbedding } from './load-embedding.ts'
import { loadLora } from './load-lora.ts'
import type { LoadedModel, LoadedParts, PartType } from './loaded-model.ts'
import type { ModelRegistry, ModelSpec } from './model-spec.ts'
import { safetyCheckerModel } from './safety-checker-model.ts'
import { vaeModel } from './vae-model.ts'
import type { OpenModel } from './weights-budget.ts'

/** What parts are loaded with. */
export interface PartContext {
  /** The checkpoint that the part is used with. */
  readonly base: LoadedModel
  readonly runtime: Runtime
  readonly precision: ModelPrecision
  readonly registry: ModelRegistry
  /** Awaited before anything is opened or read, with the bytes that it will hold. */
  makeRoom(bytes: number): Promise<void>
}

/** How parts of a type are loaded. */
interface PartKind<T> {
  /** What of the checkpoint a part depends on; without it a part is the same whatever checkpoint it is used with. */
  readonly dependsOn?: (base: LoadedModel) => string
  load(spec: ModelSpec, context: PartContext): Promise<OpenModel<T>>
}

const kinds: { readonly [T in PartType]: PartKind<LoadedParts[T]> } = {
  checkpoint: { load: (spec, { runtime, registry, precision, makeRoom }) => loadCheckpoint(spec, runtime, registry, precision, makeRoom) },
  vae: {
    // A file alone does not say how its latents are scaled: it takes the checkpoint's word.
    dependsOn: ({ vae }) => `${vae.scalingFactor} ${vae.shiftFactor}`,
    load: async (spec, { base, runtime, makeRoom }) => openCompiled(spec, await vaeModel(spec, base, loweringOf(runtime)), runtime, makeRoom),
  },
  // It is sorted by the layers of one checkpoint.
  lora: { dependsOn: ({ spec }) => airKey(spec.air), load: (spec, { base, makeRoom }) => loadLora(spec, base, makeRoom) },
  embedding: { load: (spec, { makeRoom }) => loadEmbedding(spec, makeRoom) },
  // Its part of the UNet is in a graph of its own.
  ipAdapter: {
    load: async (spec, { runtime, makeRoom }) => openCompiled(spec, await imagePromptModel(spec, loweringOf(runtime)), runtime, makeRoom),
  },
  safetyChecker: {
    load: async (spec, { runtime, makeRoom }) => openCompiled(spec, await safetyCheckerModel(spec, loweringOf(runtime)), runtime, makeRoom),
  },
}

/** Parts of an equal key are the same thing. */
export function partKey(type: PartType, { air }: ModelSpec, base: LoadedModel): string {
  const dependence = kinds[type].dependsOn?.(base)
  return dependence === undefined ? airKey(air) : `${airKey(air)} ${dependence}`
}

/** Loads what requests use beside a checkpoint. */
export async function loadPart<T extends PartType>(type: T, spec: ModelSpec, context: PartContext): Promise<OpenModel<LoadedParts[T]>> {
  const kind: PartKind<LoadedParts[T]> = kinds[type]
  return kind.load(spec, context)
}
