import { parseUnetConfig } from '../architectures/unet-config.ts'
import { parseVaeConfig } from '../architectures/vae-config.ts'
import type { Checkpoint } from './open-checkpoint.ts'

/** Whether a checkpoint's UNet was trained for inpainting: it takes more channels than its latents have. */
export function takesMask({ unet, vae }: Checkpoint['configs']): boolean {
  return parseUnetConfig(unet).inChannels > parseVaeConfig(vae).latentChannels
}
