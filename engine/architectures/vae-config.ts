import { ConfigReader } from './config-reader.ts'

/** What a VAE's `config.json` says. */
export interface VaeConfig {
  readonly latentChannels: number
  readonly outChannels: number
  /** Channels of each level, from the full resolution down. */
  readonly channels: readonly number[]
  /** Residual blocks of a level of the encoder; the decoder has one more. */
  readonly layers: number
  readonly groups: number
  readonly scalingFactor: number
  readonly shiftFactor: number
  readonly hasQuantConv: boolean
  readonly hasPostQuantConv: boolean
  readonly hasMiddleAttention: boolean
  /** Pixels along one side of a latent cell. */
  readonly latentFactor: number
}

/** Reads the `config.json` of an `AutoencoderKL`, with the defaults of diffusers. Throws a ConfigError that names the key. */
export function parseVaeConfig(config: Readonly<Record<string, unknown>>): VaeConfig {
  const reader = new ConfigReader('vae', config)
  reader.choice('act_fn', ['silu', 'swish'], 'silu')
  reader.refuse('latents_mean')
  reader.refuse('latents_std')
  const channels = reader.sizes('block_out_channels', [64])
  const types = reader.choices('up_block_types', ['UpDecoderBlock2D'], ['UpDecoderBlock2D'])
  if (types.length !== channels.length) {
    throw reader.error('up_block_types', `must have ${channels.length} entries, as block_out_channels has`)
  }
  const downTypes = reader.choices('down_block_types', ['DownEncoderBlock2D'], ['DownEncoderBlock2D'])
  if (downTypes.length !== channels.length) {
    throw reader.error('down_block_types', `must have ${channels.length} entries, as block_out_channels has`)
  }
  const inChannels = reader.size('in_channels', 3)
  if (inChannels !== 3) throw reader.error('in_channels', `must be 3 for a picture, not ${inChannels}`)
  const groups = reader.size('norm_num_groups', 32)
  const odd = channels.find(each => each % groups !== 0)
  if (odd !== undefined) throw reader.error('norm_num_groups', `must divide all of block_out_channels, which ${groups} does not: ${odd}`)
  const outChannels = reader.size('out_channels', 3)
  if (outChannels !== 3) throw reader.error('out_channels', `must be 3 for a picture, not ${outChannels}`)
  const scalingFactor = reader.number('scaling_factor', 0.18215)
  if (scalingFactor === 0) throw reader.error('scaling_factor', 'must not be 0')
  return {
    latentChannels: reader.size('latent_channels', 4),
    outChannels,
    channels,
    layers: reader.size('layers_per_block', 1),
    groups,
    scalingFactor,
    shiftFactor: reader.number('shift_factor', 0),
    hasQuantConv: reader.boolean('use_quant_conv', true),
    hasPostQuantConv: reader.boolean('use_post_quant_conv', true),
    hasMiddleAttention: reader.boolean('mid_block_add_attention', true),
    latentFactor: 2 ** (channels.length - 1),
  }
}
