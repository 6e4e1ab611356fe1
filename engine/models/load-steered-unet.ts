import { parseControlNetConfig } from '../architectures/control-net-config.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import { compileSteeredUnet } from './compile-steered-unet.ts'
import type { Named, Steering } from './compile-steered-unet.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import { denoiserBytes, elementCount } from './held-bytes.ts'
import type { PartContext } from './load-part.ts'
import type { LoadedControlNet, LoadedSteeredUnet } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import { modelFailure } from './model-failure.ts'
import type { ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import { openControlNet } from './open-control-net.ts'
import { openIpAdapter } from './open-ip-adapter.ts'
import { takesStates } from './takes-states.ts'
import type { OpenModel } from './weights-budget.ts'

/** The models that go into a UNet's graph, in the order of its inputs, once for each use. */
export interface SteeringSpecs {
  readonly controlNets: readonly ModelSpec[]
  readonly ipAdapters: readonly ModelSpec[]
}

/**
 * Opens a checkpoint's UNet once more, with ControlNets and IP-Adapters in its graph: what they give the UNet never leaves the device.
 * Throws a ModelError whose `air` tells which one cannot be used.
 * @param spec the checkpoint's under a name of its own
 */
export async function loadSteeredUnet(
  spec: ModelSpec, specs: SteeringSpecs, { base, runtime, precision, makeRoom }: Omit<PartContext, 'registry'>,
): Promise<OpenModel<LoadedSteeredUnet>> {
  const checkpoint = await openCheckpoint(spec.path, spec.configPath)
  const steering: Steering = {
    controlNets: await openEach(specs.controlNets, ({ path, configPath }) => openControlNet(path, configPath)),
    ipAdapters: await openEach(specs.ipAdapters, ({ path, configPath }) => openIpAdapter(path, configPath)),
  }
  const lowering = loweringOf(runtime)
  const loraLayers = new Set(base.loraInputs.map(({ name }) => name))
  const graph = compileSteeredUnet(checkpoint, steering, lowering, layer => loraLayers.has(layer), precision)
  const { controlNets, ipAdapters } = steering
  // What is used twice has its weights in the graph once.
  const sources = new Set([checkpoint.weights.unet, ...controlNets.map(({ weights }) => weights), ...ipAdapters.map(({ attention }) => attention)])
  const byteLength = [...sources].reduce((sum, source) => sum + denoiserBytes(source.used(), lowering, precision), 0)
  const relativeCost = [...sources].reduce((sum, source) => sum + elementCount(source.used()), 0) / elementCount(checkpoint.weights.unet.used())
  const assemble = ([unet]: readonly ModelSession[]): LoadedSteeredUnet => ({
    unet: unet as ModelSession,
    takesStates: takesStates(graph),
    relativeCost,
    controlNets: controlNets.map((net, slot) => describe(net, slot, unet as ModelSession)),
    ipAdapters: ipAdapters.map(({ air, projection: { tokens, width } }) => ({ air, tokens, width })),
  })
  return openCompiled(spec, { byteLength, graphs: [graph], assemble }, runtime, makeRoom)
}

/** Opens the headers of each model once, however often it is used. */
async function openEach<T extends object>(specs: readonly ModelSpec[], open: (spec: ModelSpec) => Promise<T>): Promise<readonly Named<T>[]> {
  const opened = new Map<string, Named<T>>()
  for (const spec of specs) {
    const { air } = spec
    if (opened.has(air)) continue
    try {
      opened.set(air, { ...(await open(spec)), air })
    } catch (cause) {
      const reason = modelFailure(cause)
      throw reason === undefined ? cause : new ModelError(reason, { cause, air })
    }
  }
  return specs.map(({ air }) => opened.get(air) as Named<T>)
}

function describe({ air, config }: Steering['controlNets'][number], slot: number, unet: ModelSession): LoadedControlNet {
  const scale = unet.inputs.find(({ name }) => name === `control_scale_${slot}`)
  return { air, maps: Number(scale?.dims[1]), isPooled: parseControlNetConfig(config).isPooled }
}
