import type { Lowering } from '../graph/model-graph.ts'
import type { Runtime } from '../runtime/model-session.ts'
import { airKey } from './air.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import type { CompiledModel } from './compiled-model.ts'
import { checkpointModel } from './load-checkpoint.ts'
import type { LoadedModel, LoadedParts, PartType } from './loaded-model.ts'
import type { ModelSpec } from './model-spec.ts'
import { vaeModel } from './vae-model.ts'
import type { OpenModel } from './weights-budget.ts'

/** How parts of a type are opened. */
interface PartKind<T> {
  /** What of the checkpoint a part depends on; without it a part is the same whatever checkpoint it is used with. */
  readonly dependsOn?: (base: LoadedModel) => string
  compile(spec: ModelSpec, base: LoadedModel, lowering: Lowering): Promise<CompiledModel<T>>
}

const kinds: { readonly [T in PartType]: PartKind<LoadedParts[T]> } = {
  checkpoint: { compile: (spec, _, lowering) => checkpointModel(spec, lowering) },
  // A file alone does not say how its latents are scaled: it takes the checkpoint's word.
  vae: { dependsOn: ({ vae }) => `${vae.scalingFactor} ${vae.shiftFactor}`, compile: vaeModel },
}

/** Parts of an equal key are the same thing. */
export function partKey(type: PartType, { air }: ModelSpec, base: LoadedModel): string {
  const dependence = kinds[type].dependsOn?.(base)
  return dependence === undefined ? airKey(air) : `${airKey(air)} ${dependence}`
}

/**
 * Compiles what requests use beside a checkpoint and opens it on a device.
 * @param makeRoom awaited before anything is opened, with the bytes that it will hold
 */
export async function loadPart<T extends PartType>(
  type: T,
  spec: ModelSpec,
  base: LoadedModel,
  runtime: Runtime,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<OpenModel<LoadedParts[T]>> {
  const kind: PartKind<LoadedParts[T]> = kinds[type]
  return openCompiled(spec, await kind.compile(spec, base, loweringOf(runtime)), runtime, makeRoom)
}
