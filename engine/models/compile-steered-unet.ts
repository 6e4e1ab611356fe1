import { guideFactor, parseControlNetConfig } from '../architectures/control-net-config.ts'
import { ControlNetMisfitError } from '../architectures/control-net.ts'
import { integerLayers } from '../architectures/integer-layers.ts'
import type { ModelPrecision } from '../architectures/integer-layers.ts'
import { IpAdapterMisfitError } from '../architectures/ip-adapter.ts'
import { buildUnet } from '../architectures/unet.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import { layersWith } from '../graph/create-layers.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import { ModelError } from './model-error.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import type { ControlNet } from './open-control-net.ts'
import type { IpAdapter } from './open-ip-adapter.ts'
import { refuseUnused } from './refuse-unused.ts'

/** Something, and the AIR that messages call it by. */
export type Named<T> = T & { readonly air: string }

/** What goes into a UNet's graph, in the order of the inputs; the same one may be there several times. */
export interface Steering {
  readonly controlNets: readonly Named<Pick<ControlNet, 'config' | 'weights'>>[]
  readonly ipAdapters: readonly Named<Pick<IpAdapter, 'projection' | 'attention'>>[]
}

/**
 * Compiles a checkpoint's UNet with ControlNets and IP-Adapters in its graph.
 * Throws a ModelError that names the one that was made for another kind of checkpoint.
 *
 * @param takesLora whether a layer of the UNet has inputs for LoRAs; those of ControlNets have none
 * @param precision of the UNet and of ControlNets; IP-Adapters always compute in floating-point numbers
 */
export function compileSteeredUnet(
  { configs, weights }: Checkpoint, { controlNets, ipAdapters }: Steering, lowering: Lowering, takesLora: (layer: string) => boolean, precision: ModelPrecision,
): ModelGraph {
  const { latentFactor } = parseVaeConfig(configs.vae)
  for (const { air, config } of controlNets) {
    const factor = guideFactor(parseControlNetConfig(config))
    if (factor !== latentFactor) throw misfit(air, `a latent cell is ${factor} pixels of its guide image, and ${latentFactor} of the checkpoint's`)
  }
  const adapters = ipAdapters.map(({ projection: { tokens, width }, attention }) => ({ tokens, width, weights: attention }))
  try {
    const graph = buildUnet(configs.unet, weights.unet, lowering, layersWith({ takesLora, isInteger: integerLayers(precision) }), controlNets, adapters)
    refuseUnused(ipAdapters.flatMap(({ attention }) => attention.unused()))
    return graph
  } catch (error) {
    if (error instanceof ControlNetMisfitError) throw misfit(airAt(controlNets, error.index), error.message, error)
    if (error instanceof IpAdapterMisfitError) throw misfit(airAt(ipAdapters, error.index), error.message, error)
    throw error
  }
}

function airAt(named: readonly Named<object>[], index: number): string {
  return (named[index] as Named<object>).air
}

function misfit(air: string, problem: string, cause?: Error): ModelError {
  return new ModelError(`it was made for another kind of checkpoint: ${problem}`, { air, cause })
}
