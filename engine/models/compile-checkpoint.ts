import { buildClipText } from '../architectures/clip-text.ts'
import { parseClipTextConfig } from '../architectures/clip-text-config.ts'
import { parseUnetConfig } from '../architectures/unet-config.ts'
import { buildUnet } from '../architectures/unet.ts'
import { buildVaeDecoder } from '../architectures/vae-decoder.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import { ModelError } from './model-error.ts'
import type { Checkpoint } from './open-checkpoint.ts'

/** The three graphs of a checkpoint, ready to be opened. */
export interface CompiledCheckpoint {
  readonly textEncoder: ModelGraph
  readonly unet: ModelGraph
  readonly vaeDecoder: ModelGraph
}

const MOST_NAMES = 3

/**
 * Compiles a checkpoint's components to graphs. Throws a ModelError, WeightError or ConfigError when a tensor is missing or
 * of another shape, when a configuration asks for what cannot be computed, or when tensors are left that nothing uses:
 * those mean that the configuration and the weights do not belong together.
 */
export function compileCheckpoint(checkpoint: Checkpoint, lowering: Lowering): CompiledCheckpoint {
  checkFit(checkpoint)
  const { configs, weights, strangers } = checkpoint
  const graphs = {
    textEncoder: buildClipText(configs.text_encoder, weights.text_encoder, lowering),
    unet: buildUnet(configs.unet, weights.unet, lowering),
    vaeDecoder: buildVaeDecoder(configs.vae, weights.vae, lowering),
  }
  const left = [...weights.text_encoder.unused(), ...weights.unet.unused(), ...weights.vae.unused(), ...strangers]
  if (left.length > 0) throw new ModelError(`its weights hold ${namesOf(left)} that nothing in the model uses`)
  return graphs
}

/** Components from different models: each is sound alone, and their sizes do not meet. */
function checkFit({ configs, tokenizer }: Checkpoint): void {
  const text = parseClipTextConfig(configs.text_encoder)
  const unet = parseUnetConfig(configs.unet)
  const vae = parseVaeConfig(configs.vae)
  const expect = (what: string, left: number, right: number): void => {
    if (left !== right) throw new ModelError(`its components do not fit together: ${what} (${left} and ${right})`)
  }
  expect('the text encoder gives states of another width than the unet takes', text.width, unet.contextWidth)
  expect('the vae has other latent channels than the unet takes', vae.latentChannels, unet.inChannels)
  expect('the unet takes other latent channels than it gives', unet.inChannels, unet.outChannels)
  expect('the tokenizer has another length than the text encoder', tokenizer.modelMaxLength, text.tokens)
  if (tokenizer.highestId >= text.vocabularySize)
    throw new ModelError(`its tokenizer has the token ${tokenizer.highestId}, and its text encoder knows ${text.vocabularySize}`)
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ')
  const rest = names.length - MOST_NAMES
  return `${names.length === 1 ? 'a tensor' : 'tensors'} (${shown}${rest > 0 ? ` and ${rest} more` : ''})`
}
