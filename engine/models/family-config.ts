import type { StoredTensors } from '../weights/stored-tensor.ts'
import type { JsonObject } from './json-file.ts'
import { parseJsonObject } from './json-file.ts'
import type { ModelFamily } from './model-spec.ts'
import { readPackageAsset } from './package-asset.ts'
import { readFloats } from './read-floats.ts'

/** A family's published configuration files in one. */
export interface FamilyConfig {
  readonly unet: JsonObject
  readonly text_encoder?: JsonObject
  readonly text_encoder_2?: JsonObject
  readonly vae: JsonObject
  readonly scheduler: JsonObject
  readonly tokenizer?: TokenizerConfig
  readonly tokenizer_2?: TokenizerConfig
  readonly model_index?: JsonObject
}

export interface TokenizerConfig {
  readonly pad_token: string
  readonly model_max_length: number
}

const FILES: Readonly<Record<ModelFamily, string>> = { sd1: 'sd1', sd2: 'sd2', sdxl: 'sdxl', sdxlRefiner: 'sdxl-refiner' }
const INPUT_TENSOR = 'model.diffusion_model.input_blocks.0.0.weight'
const STATISTIC_TENSOR = 'model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias'
const V_PREDICTION_DEVIATION = 0.09

/**
 * The published configuration for a single-file checkpoint of a family.
 *
 * What its network predicts is not in its shapes. It is taken from the file's `modelspec.prediction_type`, else from the
 * marker tensors `v_pred` and `ztsnr` that some tools write. Without either, SD 1.x and SDXL predict the noise (as published),
 * and SD 2.x is told by one bias that spreads wider in the v-prediction models, a rule of thumb other programs rely on too.
 * A `config` folder overrules all of this.
 */
export async function familyConfig(
  family: ModelFamily,
  tensors: StoredTensors,
  metadata: ReadonlyMap<string, string>,
): Promise<FamilyConfig> {
  const isVPrediction = await predictsVelocity(family, tensors, metadata)
  const file = family === 'sd2' && !isVPrediction ? 'sd2-base' : FILES[family]
  const config = parseJsonObject(
    (await readPackageAsset(`engine/models/families/${file}.json`)).toString(),
    `${file}.json`,
  ) as unknown as FamilyConfig
  return {
    ...config,
    unet: { ...config.unet, ...inputChannels(tensors) },
    scheduler: { ...config.scheduler, ...(isVPrediction && { prediction_type: 'v_prediction' }), ...zeroTerminalSnr(tensors) },
  }
}

async function predictsVelocity(family: ModelFamily, tensors: StoredTensors, metadata: ReadonlyMap<string, string>): Promise<boolean> {
  const stated = metadata.get('modelspec.prediction_type')
  if (stated === 'v' || stated === 'epsilon') return stated === 'v'
  if (tensors.has('v_pred')) return true
  const statistic = family === 'sd2' ? tensors.get(STATISTIC_TENSOR) : undefined
  const values = statistic && (await readFloats(statistic))
  return values !== undefined && standardDeviation(values) > V_PREDICTION_DEVIATION
}

/** An inpainting checkpoint differs from its family by the inputs of its first convolution alone. */
function inputChannels(tensors: StoredTensors): JsonObject {
  const channels = tensors.get(INPUT_TENSOR)?.shape[1]
  return channels === undefined ? {} : { in_channels: channels }
}

function zeroTerminalSnr(tensors: StoredTensors): JsonObject {
  return tensors.has('ztsnr') ? { rescale_betas_zero_snr: true, timestep_spacing: 'trailing' } : {}
}

/** Of the whole population: the root of the mean squared distance from the mean. */
function standardDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
}
