import type { Lowering } from '../graph/model-graph.ts'
import type { CompiledModel } from './compiled-model.ts'
import { compileVae } from './compile-vae.ts'
import type { LoadedModel, LoadedVae } from './loaded-model.ts'
import type { ModelSpec } from './model-spec.ts'
import { openVae } from './open-vae.ts'
import { refuseUnused } from './refuse-unused.ts'

/** Compiles a VAE of the registry for a checkpoint. Throws what `openVae` throws, and a ModelError for tensors that nothing uses. */
export async function vaeModel({ path, configPath }: ModelSpec, base: Pick<LoadedModel, 'vae'> | undefined, lowering: Lowering): Promise<CompiledModel<LoadedVae>> {
  const { config, weights, strangers } = await openVae(path, configPath)
  // What a file alone does not say is taken from the checkpoint that the VAE stands in for.
  const scaling = base && { scaling_factor: base.vae.scalingFactor, shift_factor: base.vae.shiftFactor }
  const compiled = compileVae({ ...scaling, ...config }, weights, lowering)
  refuseUnused([...weights.unused(), ...strangers])
  return compiled
}
