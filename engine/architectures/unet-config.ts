import { ConfigReader } from './config-reader.ts'

/** One level of resolution of a UNet, on its way down or up. */
export interface UnetLevel {
  readonly hasAttention: boolean
  readonly channels: number
  /** Residual blocks on the way down; one more on the way up. */
  readonly layers: number
  readonly heads: number
  readonly transformerDepth: number
  readonly contextWidth: number
}

/** What a configuration says of a UNet's way down and its middle, which is all that a ControlNet has of a UNet. */
export interface UnetEncoderConfig {
  readonly inChannels: number
  readonly inKernel: number
  /** From the full resolution down. */
  readonly down: readonly UnetLevel[]
  /** Absent where the network has no middle. */
  readonly middle?: UnetLevel
  readonly contextWidth: number
  readonly hasLinearProjection: boolean
  readonly groups: number
  readonly normEpsilon: number
  readonly timeWidth: number
  readonly isCosineFirst: boolean
  readonly frequencyShift: number
  /** Present where the network is told the whole text and the picture's sizes besides the timestep. */
  readonly added?: AddedConditions
}

/** SDXL's condition beside the timestep: a vector of the whole text, and a few numbers as sinusoids. */
export interface AddedConditions {
  /** Sinusoids of each number. */
  readonly numberWidth: number
  /** Width of the text's vector and of all sinusoids together. */
  readonly width: number
}

/** What a UNet's `config.json` says. */
export interface UnetConfig extends UnetEncoderConfig {
  readonly outChannels: number
  readonly outKernel: number
  /** From the lowest resolution up. */
  readonly up: readonly UnetLevel[]
}

type Json = Readonly<Record<string, unknown>>

const ATTENTION_DOWN = 'CrossAttnDownBlock2D'
const ATTENTION_UP = 'CrossAttnUpBlock2D'
const DOWN_BLOCKS = [ATTENTION_DOWN, 'DownBlock2D'] as const
const UP_BLOCKS = [ATTENTION_UP, 'UpBlock2D'] as const
const MIDDLE_BLOCKS = ['UNetMidBlock2DCrossAttn', 'UNetMidBlock2D'] as const
const TIME_WIDTH_FACTOR = 4

/** Reads the `config.json` of a `UNet2DConditionModel`, with the defaults of diffusers. Throws a ConfigError that names the key. */
export function parseUnetConfig(config: Json): UnetConfig {
  const reader = new ConfigReader('unet', config)
  const encoder = parseUnetEncoderConfig(reader, config)
  const channels = levelChannels(reader)
  const upTypes = reader.choices('up_block_types', UP_BLOCKS, ['UpBlock2D', ATTENTION_UP, ATTENTION_UP, ATTENTION_UP])
  const count = channels.length
  if (upTypes.length !== count) throw reader.error('up_block_types', `must have ${count} entries, as block_out_channels has`)
  const level = levelReader(reader, channels)
  return {
    ...encoder,
    outChannels: reader.size('out_channels', 4),
    outKernel: oddKernel(reader, 'conv_out_kernel'),
    up: upTypes.map((type, index) => level(count - 1 - index, type === ATTENTION_UP)),
  }
}

/** Reads what a configuration says of the way down and the middle. Throws a ConfigError that names the key. */
export function parseUnetEncoderConfig(reader: ConfigReader, config: Json): UnetEncoderConfig {
  refuseUnsupported(reader)
  const channels = levelChannels(reader)
  const downTypes = reader.choices('down_block_types', DOWN_BLOCKS, [ATTENTION_DOWN, ATTENTION_DOWN, ATTENTION_DOWN, 'DownBlock2D'])
  const count = channels.length
  if (downTypes.length !== count) throw reader.error('down_block_types', `must have ${count} entries, as block_out_channels has`)
  const level = levelReader(reader, channels)
  const first = channels[0] as number
  if (first % 2 !== 0) throw reader.error('block_out_channels', `must begin with an even number, not ${first}`)

  return {
    inChannels: reader.size('in_channels', 4),
    inKernel: oddKernel(reader, 'conv_in_kernel'),
    down: downTypes.map((type, index) => level(index, type === ATTENTION_DOWN)),
    ...middleLevel(reader, config, level(count - 1, true)),
    contextWidth: level(0, true).contextWidth,
    hasLinearProjection: reader.boolean('use_linear_projection', false),
    groups: groupCount(reader, channels),
    normEpsilon: reader.number('norm_eps', 1e-5),
    timeWidth: reader.size('time_embedding_dim', first * TIME_WIDTH_FACTOR),
    isCosineFirst: reader.boolean('flip_sin_to_cos', true),
    frequencyShift: reader.number('freq_shift', 0),
    ...addedConditions(reader),
  }
}

function levelChannels(reader: ConfigReader): readonly number[] {
  return reader.sizes('block_out_channels', [320, 640, 1280, 1280])
}

function addedConditions(reader: ConfigReader): { added?: AddedConditions } {
  if (!reader.has('addition_embed_type')) return {}
  reader.choice('addition_embed_type', ['text_time'], 'text_time')
  for (const key of ['addition_time_embed_dim', 'projection_class_embeddings_input_dim']) {
    if (!reader.has(key)) throw reader.error(key, 'must be there with addition_embed_type text_time')
  }
  const added = { numberWidth: reader.size('addition_time_embed_dim', 256), width: reader.size('projection_class_embeddings_input_dim', 2816) }
  if (added.numberWidth % 2 !== 0) throw reader.error('addition_time_embed_dim', `must be even, not ${added.numberWidth}`)
  return { added }
}

function levelReader(reader: ConfigReader, channels: readonly number[]): (index: number, hasAttention: boolean) => UnetLevel {
  const count = channels.length
  // A misnomer kept for old files: attention_head_dim is the number of heads. diffusers refuses num_attention_heads, and so is it here.
  const headsKey = 'attention_head_dim'
  const heads = reader.sizePerLevel(headsKey, count, 8)
  const layers = reader.sizePerLevel('layers_per_block', count, 2)
  const depths = reader.sizePerLevel('transformer_layers_per_block', count, 1)
  const contexts = reader.sizePerLevel('cross_attention_dim', count, 1280)
  if (contexts.some(width => width !== contexts[0])) throw reader.error('cross_attention_dim', 'must be the same for all levels')
  return (index, hasAttention) => {
    const level = {
      hasAttention, channels: channels[index] as number, layers: layers[index] as number, heads: heads[index] as number,
      transformerDepth: depths[index] as number, contextWidth: contexts[index] as number,
    }
    if (hasAttention && level.channels % level.heads !== 0) {
      throw reader.error(headsKey, `must divide the level's ${level.channels} channels, which ${level.heads} does not`)
    }
    return level
  }
}

function middleLevel(reader: ConfigReader, config: Json, deepest: UnetLevel): { middle?: UnetLevel } {
  // Here a null is no default: it says that there is no middle.
  if (config.mid_block_type === null) return {}
  const type = reader.choice('mid_block_type', MIDDLE_BLOCKS, 'UNetMidBlock2DCrossAttn')
  return { middle: { ...deepest, hasAttention: type === 'UNetMidBlock2DCrossAttn' } }
}

function groupCount(reader: ConfigReader, channels: readonly number[]): number {
  const groups = reader.size('norm_num_groups', 32)
  const odd = channels.find(each => each % groups !== 0)
  if (odd !== undefined) throw reader.error('norm_num_groups', `must divide all of block_out_channels, which ${groups} does not: ${odd}`)
  return groups
}

function oddKernel(reader: ConfigReader, key: string): number {
  const kernel = reader.size(key, 3)
  if (kernel % 2 === 0) throw reader.error(key, `must be odd, not ${kernel}`)
  return kernel
}

/** Every key that changes the network in a way the graph does not follow; anything but its neutral value is refused by name. */
function refuseUnsupported(reader: ConfigReader): void {
  reader.choice('act_fn', ['silu', 'swish'], 'silu')
  reader.refuse('center_input_sample', false)
  reader.refuse('downsample_padding', 1)
  reader.refuse('mid_block_scale_factor', 1)
  reader.refuse('only_cross_attention', false)
  reader.refuse('mid_block_only_cross_attention', false)
  reader.refuse('dual_cross_attention', false)
  reader.refuse('resnet_time_scale_shift', 'default')
  reader.refuse('resnet_skip_time_act', false)
  reader.refuse('resnet_out_scale_factor', 1)
  reader.refuse('time_embedding_type', 'positional')
  reader.refuse('attention_type', 'default')
  reader.refuse('class_embeddings_concat', false)
  for (const key of NULL_ONLY) reader.refuse(key)
  if (!reader.has('addition_embed_type')) for (const key of ADDED_ONLY) reader.refuse(key)
  if (reader.has('norm_num_groups')) return
  reader.refuse('norm_num_groups')
}

const NULL_ONLY = [
  'num_attention_heads',
  'reverse_transformer_layers_per_block', 'encoder_hid_dim', 'encoder_hid_dim_type', 'class_embed_type',
  'num_class_embeds', 'time_embedding_act_fn', 'timestep_post_act', 'time_cond_proj_dim', 'cross_attention_norm',
] as const
/** Keys that mean something with an `addition_embed_type` alone. */
const ADDED_ONLY = ['addition_time_embed_dim', 'projection_class_embeddings_input_dim'] as const
