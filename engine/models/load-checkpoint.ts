import { parseClipTextConfig } from '../architectures/clip-text-config.ts'
import type { ModelPrecision } from '../architectures/integer-layers.ts'
import { parseUnetConfig } from '../architectures/unet-config.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import { loraInputsOf } from '../graph/lora-inputs.ts'
import type { ModelGraph } from '../graph/model-graph.ts'
import type { ModelSession, Runtime } from '../runtime/model-session.ts'
import { addedInputsOf } from './added-inputs.ts'
import { textEncodersOf } from '../weights/component-names.ts'
import type { WeightComponent } from '../weights/component-names.ts'
import { compileCheckpoint } from './compile-checkpoint.ts'
import { loweringOf, openCompiled } from './compiled-model.ts'
import { denoiserBytes, heldBytes } from './held-bytes.ts'
import type { LoadedModel, LoadedPromptProjection, LoadedTextEncoder, TokenizerFiles } from './loaded-model.ts'
import { prepareForLoras } from './lora-layers.ts'
import type { ModelRegistry, ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import { takesStates } from './takes-states.ts'
import { takesMask } from './takes-mask.ts'
import type { OpenModel } from './weights-budget.ts'

/**
 * Compiles a checkpoint and opens its networks on a device.
 * @param registry whose LoRAs the networks are to be ready for
 * @param makeRoom awaited before the networks are opened, with the bytes that they will hold
 */
export async function loadCheckpoint(
  spec: ModelSpec,
  runtime: Runtime,
  registry: Pick<ModelRegistry, 'models'>,
  precision: ModelPrecision,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<OpenModel<LoadedModel>> {
  const checkpoint = await openCheckpoint(spec.path, spec.configPath)
  const lowering = loweringOf(runtime)
  const lora = await prepareForLoras(checkpoint, registry)
  const { unet, promptProjection, textEncoders, vae } = compileCheckpoint(checkpoint, lowering, { takesLora: lora.takesLora, precision })
  const byteLength = Object.entries(checkpoint.weights).reduce((sum, [component, source]) => {
    if (component === 'unet') return sum + denoiserBytes(source.used(), lowering, precision)
    return sum + heldBytes(component as WeightComponent, source.used(), lowering)
  }, 0)
  const texts = describeTextEncoders(checkpoint)
  const assemble = (sessions: readonly ModelSession[]): LoadedModel => {
    const encoders = texts.map((text, index) => {
      return { ...text, session: sessions[index] as ModelSession, loraInputs: loraInputsOf((textEncoders[index] as ModelGraph).inputs) }
    })
    const [unetSession, ...rest] = sessions.slice(texts.length) as [ModelSession, ...ModelSession[]]
    const projectionSession = promptProjection && (rest.shift() as ModelSession)
    const projection = projectionSession && { promptProjection: describeProjection(projectionSession) }
    const own = { unet: unetSession, takesStates: takesStates(unet), ...projection, vae: vae.assemble(rest) }
    const loras = { loraInputs: loraInputsOf(unet.inputs), loraTargets: lora.targets }
    return { spec, ...describe(checkpoint), textEncoders: encoders, ...own, ...loras, byteLength }
  }
  const graphs = [...textEncoders, unet, ...(promptProjection ? [promptProjection] : []), ...vae.graphs]
  return openCompiled(spec, { byteLength, graphs, lateGraphs: vae.lateGraphs ?? [], assemble }, runtime, makeRoom)
}

type Described = 'contextSize' | 'added' | 'zerosEmptyPrompt' | 'latentChannels' | 'latentFactor' | 'noiseSchedule' | 'takesMask'

function describe({ configs, noiseSchedule, zerosEmptyPrompt }: Checkpoint): Pick<LoadedModel, Described> {
  const { contextWidth } = parseUnetConfig(configs.unet)
  const { latentChannels, latentFactor } = parseVaeConfig(configs.vae)
  const added = addedInputsOf(configs)
  const own = { contextSize: contextWidth, latentChannels, latentFactor, takesMask: takesMask(configs) }
  return { noiseSchedule, zerosEmptyPrompt, ...own, ...(added && { added }) }
}

function describeProjection(session: ModelSession): LoadedPromptProjection {
  const tensors = session.outputs.map(({ name, dims: [, heads, , width] }) => ({ name, heads: heads as number, width: width as number }))
  return { session, tensors, loraInputs: loraInputsOf(session.inputs) }
}

function describeTextEncoders({ configs, tokenizers }: Checkpoint): readonly Omit<LoadedTextEncoder, 'session' | 'loraInputs'>[] {
  return textEncodersOf(configs).map(([component, config]) => {
    return { component, tokenizer: tokenizers[component] as TokenizerFiles, width: parseClipTextConfig(config).width }
  })
}
