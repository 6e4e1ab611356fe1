import { buildVaeDecoder } from '../architectures/vae-decoder.ts'
import { buildVaeEncoder } from '../architectures/vae-encoder.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import type { Lowering } from '../graph/model-graph.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import type { TensorSource } from '../weights/tensor-source.ts'
import type { CompiledModel } from './compiled-model.ts'
import { heldBytes } from './held-bytes.ts'
import type { JsonObject } from './json-file.ts'
import type { LoadedVae } from './loaded-model.ts'

/**
 * Compiles a VAE, a checkpoint's own or one by itself. Throws a WeightError or ConfigError when a tensor is missing or the
 * configuration asks for what cannot be computed.
 */
export function compileVae(config: JsonObject, weights: TensorSource, lowering: Lowering): CompiledModel<LoadedVae> {
  const { latentChannels, latentFactor, scalingFactor, shiftFactor } = parseVaeConfig(config)
  const encoder = buildVaeEncoder(config, weights, lowering)
  const decoder = buildVaeDecoder(config, weights, lowering)
  return {
    byteLength: heldBytes('vae', weights.used(), lowering),
    graphs: [encoder, decoder],
    // Text alone needs none. On CUDA everything is there from the start: what is opened late might find no memory.
    lateGraphs: lowering === 'cpu' ? [encoder] : [],
    assemble: sessions => {
      const [encoder, decoder] = sessions as [ModelSession, ModelSession]
      return { latentChannels, latentFactor, scalingFactor, shiftFactor, encoder, decoder }
    },
  }
}
