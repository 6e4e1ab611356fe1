import { IpAdapterMisfitError } from '../architectures/ip-adapter.ts'
import { buildUnet } from '../architectures/unet.ts'
import { layersWithLora } from '../graph/create-layers.ts'
import type { ModelGraph } from '../graph/model-graph.ts'
import type { ModelSession, Runtime } from '../runtime/model-session.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import { heldBytes } from './held-bytes.ts'
import type { LoadedGuidedUnet } from './loaded-model.ts'
import { prepareForLoras } from './lora-layers.ts'
import { ModelError } from './model-error.ts'
import { modelFailure } from './model-failure.ts'
import type { ModelRegistry, ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import { openIpAdapter } from './open-ip-adapter.ts'
import type { IpAdapter } from './open-ip-adapter.ts'
import { refuseUnused } from './refuse-unused.ts'
import type { OpenModel } from './weights-budget.ts'

/** What a guided UNet is made of and for. */
export interface GuidedUnetOptions {
  readonly base: ModelSpec
  readonly ipAdapters: readonly ModelSpec[]
  readonly runtime: Runtime
  /** Whose LoRAs the network is to be ready for. */
  readonly registry: Pick<ModelRegistry, 'models'>
  /** Awaited before it is opened, with the bytes that it will hold. */
  makeRoom(bytes: number): Promise<void>
}

type NamedAdapter = IpAdapter & { readonly air: string }

/** Opens a checkpoint's UNet once more, with IP-Adapters in its graph. Throws a ModelError whose `air` tells which one does not fit. */
export async function loadGuidedUnet({ base, ipAdapters, runtime, registry, makeRoom }: GuidedUnetOptions): Promise<OpenModel<LoadedGuidedUnet>> {
  const checkpoint = await openCheckpoint(base.path, base.configPath)
  const { takesLora } = await prepareForLoras(checkpoint, registry)
  const adapters = await openAdapters(ipAdapters)
  const lowering = loweringOf(runtime)
  const layers = layersWithLora(layer => takesLora('unet', layer))
  const graph = compile(adapters, sources => buildUnet(checkpoint.configs.unet, checkpoint.weights.unet, lowering, layers, [], sources))
  // An adapter that is used twice has its weights in the graph once.
  const sources = new Set([checkpoint.weights.unet, ...adapters.map(({ attention }) => attention)])
  return openCompiled(base, {
    byteLength: [...sources].reduce((sum, source) => sum + heldBytes('unet', source.used(), lowering), 0),
    graphs: [graph],
    assemble: ([unet]) => ({
      unet: unet as ModelSession,
      ipAdapters: adapters.map(({ air, projection: { tokens, width } }) => ({ air, tokens, width })),
    }),
  }, runtime, makeRoom)
}

/** Opens the headers of each adapter once, however often it is used. */
async function openAdapters(specs: readonly ModelSpec[]): Promise<readonly NamedAdapter[]> {
  const opened = new Map<string, NamedAdapter>()
  for (const { air, path, configPath } of specs) {
    if (opened.has(air)) continue
    try {
      opened.set(air, { ...(await openIpAdapter(path, configPath)), air })
    } catch (cause) {
      const reason = modelFailure(cause)
      throw reason === undefined ? cause : new ModelError(reason, { cause, air })
    }
  }
  return specs.map(({ air }) => opened.get(air) as NamedAdapter)
}

function compile(adapters: readonly NamedAdapter[], build: (sources: Parameters<typeof buildUnet>[5]) => ModelGraph): ModelGraph {
  try {
    const graph = build(adapters.map(({ projection: { tokens, width }, attention }) => ({ tokens, width, weights: attention })))
    refuseUnused(adapters.flatMap(({ attention }) => attention.unused()))
    return graph
  } catch (error) {
    if (!(error instanceof IpAdapterMisfitError)) throw error
    throw new ModelError(`it was made for another kind of checkpoint: ${error.message}`, { cause: error, air: (adapters[error.index] as NamedAdapter).air })
  }
}
