import { parseControlNetConfig } from '../architectures/control-net-config.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import { compileControlledUnet } from './compile-controlled-unet.ts'
import type { NamedControlNet } from './compile-controlled-unet.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import { heldBytes } from './held-bytes.ts'
import type { PartContext } from './load-part.ts'
import type { LoadedControlNet, LoadedControlledUnet } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { modelFailure } from './model-failure.ts'
import type { ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import { openControlNet } from './open-control-net.ts'
import type { OpenModel } from './weights-budget.ts'

/**
 * Opens a checkpoint's UNet once more, with ControlNets in its graph: what they give the UNet never leaves the device.
 * @param spec the checkpoint's under a name of its own
 */
export async function loadControlledUnet(
  spec: ModelSpec, specs: readonly ModelSpec[], { base, runtime, makeRoom }: Omit<PartContext, 'registry'>,
): Promise<OpenModel<LoadedControlledUnet>> {
  const checkpoint = await openCheckpoint(spec.path, spec.configPath)
  const controlNets = await openControlNets(specs)
  const lowering = loweringOf(runtime)
  const loraLayers = new Set(base.loraInputs.map(({ name }) => name))
  const graph = compileControlledUnet(checkpoint, controlNets, lowering, layer => loraLayers.has(layer))
  // A ControlNet that is used twice has its weights in the graph once.
  const sources = new Set([checkpoint.weights.unet, ...controlNets.map(({ weights }) => weights)])
  const byteLength = [...sources].reduce((sum, source) => sum + heldBytes('unet', source.used(), lowering), 0)
  const relativeCost = byteLength / heldBytes('unet', checkpoint.weights.unet.used(), lowering)
  const assemble = ([unet]: readonly ModelSession[]): LoadedControlledUnet => {
    return { unet: unet as ModelSession, relativeCost, controlNets: controlNets.map((net, slot) => describe(net, slot, unet as ModelSession)) }
  }
  return openCompiled(spec, { byteLength, graphs: [graph], assemble }, runtime, makeRoom)
}

/** Opens the headers of each ControlNet once, however often it is used. */
async function openControlNets(specs: readonly ModelSpec[]): Promise<readonly NamedControlNet[]> {
  const opened = new Map<string, NamedControlNet>()
  for (const { air, path, configPath } of specs) {
    if (opened.has(air)) continue
    try {
      opened.set(air, { ...(await openControlNet(path, configPath)), air })
    } catch (cause) {
      const reason = modelFailure(cause)
      throw reason === undefined ? cause : new ModelError(reason, { cause, air })
    }
  }
  return specs.map(({ air }) => opened.get(air) as NamedControlNet)
}

function describe({ air, config }: NamedControlNet, slot: number, unet: ModelSession): LoadedControlNet {
  const scale = unet.inputs.find(({ name }) => name === `control_scale_${slot}`)
  return { air, maps: Number(scale?.dims[1]), isPooled: parseControlNetConfig(config).isPooled }
}
