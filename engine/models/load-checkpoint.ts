import { parseClipTextConfig } from '../architectures/clip-text-config.ts'
import { parseUnetConfig } from '../architectures/unet-config.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { ModelSession, Runtime } from '../runtime/model-session.ts'
import { mapComponents, textEncodersOf } from '../weights/component-names.ts'
import { addedInputsOf } from './added-inputs.ts'
import { compileCheckpoint } from './compile-checkpoint.ts'
import { heldBytes } from './held-bytes.ts'
import type { LoadedModel, LoadedTextEncoder, TokenizerFiles } from './loaded-model.ts'
import { ModelError } from './model-error.ts'
import type { ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import type { OpenModel } from './weights-budget.ts'

/**
 * Compiles a checkpoint and opens its networks on a device.
 * @param makeRoom awaited before the networks are opened, with the bytes that they will hold
 */
export async function loadCheckpoint(
  spec: ModelSpec,
  runtime: Runtime,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<OpenModel<LoadedModel>> {
  const checkpoint = await openCheckpoint(spec.path, spec.configPath)
  const lowering: Lowering = runtime.device.type === 'cuda' ? 'cuda' : 'cpu'
  const graphs = compileCheckpoint(checkpoint, lowering)
  const byteLength = heldBytes(mapComponents(checkpoint.weights, source => source.used()), lowering)
  await makeRoom(byteLength)
  const sessions = await openAll(runtime, [graphs.unet, graphs.vaeDecoder, ...graphs.textEncoders])
  const [unet, vaeDecoder, ...texts] = sessions as [ModelSession, ModelSession, ...ModelSession[]]
  const textEncoders = describeTextEncoders(checkpoint).map((text, index) => ({ ...text, session: texts[index] as ModelSession }))
  return {
    spec,
    byteLength,
    model: { spec, ...describe(checkpoint), textEncoders, unet, vaeDecoder, byteLength },
    release: async () => void (await Promise.all(sessions.map(session => session.release()))),
  }
}

/** Opens all graphs or none. */
async function openAll(runtime: Runtime, graphs: readonly ModelGraph[]): Promise<readonly ModelSession[]> {
  const opened: ModelSession[] = []
  try {
    for (const graph of graphs) {
      opened.push(
        await runtime.open(graph).catch(cause => {
          // The runtime's own words hold paths; they stay in the cause, for the log.
          throw new ModelError(`the runtime could not open its graph ${graph.name}`, { cause })
        }),
      )
    }
  } catch (error) {
    await Promise.all(opened.map(session => session.release()))
    throw error
  }
  return opened
}

function describe({
  configs,
  noiseSchedule,
  zerosEmptyPrompt,
}: Checkpoint): Pick<LoadedModel, 'contextSize' | 'added' | 'zerosEmptyPrompt' | 'latentChannels' | 'latentFactor' | 'noiseSchedule'> {
  const { contextWidth } = parseUnetConfig(configs.unet)
  const { latentChannels, latentFactor } = parseVaeConfig(configs.vae)
  const added = addedInputsOf(configs)
  return { noiseSchedule, zerosEmptyPrompt, contextSize: contextWidth, ...(added && { added }), latentChannels, latentFactor }
}

function describeTextEncoders({ configs, tokenizers }: Checkpoint): readonly Omit<LoadedTextEncoder, 'session'>[] {
  return textEncodersOf(configs).map(([component, config]) => {
    return { tokenizer: tokenizers[component] as TokenizerFiles, width: parseClipTextConfig(config).width }
  })
}
