import { guideFactor, parseControlNetConfig } from '../architectures/control-net-config.ts'
import { ControlNetMisfitError } from '../architectures/control-net.ts'
import { buildUnet } from '../architectures/unet.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import { layersWithLora } from '../graph/create-layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import { ModelError } from './model-error.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import type { ControlNet } from './open-control-net.ts'

/** A ControlNet that goes into a UNet's graph, and the AIR that messages call it by. */
export type NamedControlNet = Pick<ControlNet, 'config' | 'weights'> & { readonly air: string }

/**
 * Compiles a checkpoint's UNet with ControlNets in its graph, in their order; the same one may be there several times.
 * Throws a ModelError that names the ControlNet when one was made for another kind of checkpoint.
 *
 * @param takesLora whether a layer of the UNet has inputs for LoRAs; those of ControlNets have none
 */
export function compileControlledUnet(
  { configs, weights }: Checkpoint, controlNets: readonly NamedControlNet[], lowering: Lowering, takesLora: (layer: string) => boolean,
): ModelGraph {
  const { latentFactor } = parseVaeConfig(configs.vae)
  for (const { air, config } of controlNets) {
    const factor = guideFactor(parseControlNetConfig(config))
    if (factor !== latentFactor) throw misfit(air, `a latent cell is ${factor} pixels of its guide image, and ${latentFactor} of the checkpoint's`)
  }
  try {
    return buildUnet(configs.unet, weights.unet, lowering, layersWithLora(takesLora), controlNets)
  } catch (error) {
    if (error instanceof ControlNetMisfitError) throw misfit((controlNets[error.index] as NamedControlNet).air, error.message)
    throw error
  }
}

function misfit(air: string, problem: string): ModelError {
  return new ModelError(`it was made for another kind of checkpoint: ${problem}`, { air })
}
