import { ConfigReader } from './config-reader.ts'
import { parseUnetEncoderConfig } from './unet-config.ts'
import type { UnetEncoderConfig } from './unet-config.ts'

/** What a ControlNet's `config.json` says: the encoder of the UNet it was made for, and how it reads its guide image. */
export interface ControlNetConfig extends UnetEncoderConfig {
  /** Channels of the guide image's embedding, from the full size down; each but the first halves the size. */
  readonly guideChannels: readonly number[]
  /** Whether it was trained on images with blue first. */
  readonly isBlueFirst: boolean
  /** Whether it gives one number for each channel instead of one for each pixel, as those for styles and colours do. */
  readonly isPooled: boolean
}

/** Channels of a guide image. */
export const GUIDE_CHANNELS = 3

/** Reads the `config.json` of a `ControlNetModel`, with the defaults of diffusers. Throws a ConfigError that names the key. */
export function parseControlNetConfig(config: Readonly<Record<string, unknown>>): ControlNetConfig {
  const reader = new ConfigReader('controlnet', config)
  reader.refuse('conditioning_channels', GUIDE_CHANNELS)
  if (config.mid_block_type === null) throw reader.error('mid_block_type', 'must name the block that its last output comes from')
  return {
    ...parseUnetEncoderConfig(reader, config),
    guideChannels: reader.sizes('conditioning_embedding_out_channels', [16, 32, 96, 256]),
    isBlueFirst: reader.choice('controlnet_conditioning_channel_order', ['rgb', 'bgr'], 'rgb') === 'bgr',
    isPooled: reader.boolean('global_pool_conditions', false),
  }
}

/** Pixels of the guide image that a latent cell stands for along one side. */
export function guideFactor({ guideChannels }: ControlNetConfig): number {
  return 2 ** (guideChannels.length - 1)
}
