import type { TensorSource } from '../weights/tensor-source.ts'
import type { JsonObject } from './json-file.ts'

/** Most levels or layers that are looked for; published VAEs have four levels of two layers. */
const MOST = 16

/**
 * The configuration of a VAE's file, from its tensors: channels, levels, layers. What they do not tell is left out: the scaling
 * of the latents is the checkpoint's, everything else as in all published VAEs. Throws a WeightError when it holds no decoder.
 */
export function vaeFileConfig(weights: TensorSource): JsonObject {
  const outputs = (name: string): number => weights.get(`${name}.weight`).shape[0] ?? 0
  const block = (index: number, layer = 0): string => `decoder.up_blocks.${index}.resnets.${layer}.conv1`
  const blocks = countWhile(index => weights.has(`${block(index)}.weight`))
  const resnets = countWhile(layer => weights.has(`${block(0, layer)}.weight`))
  const latentChannels = weights.get('decoder.conv_in.weight').shape[1]
  return {
    latent_channels: latentChannels,
    out_channels: outputs('decoder.conv_out'),
    // The decoder's blocks stand from the latents up, a configuration's channels from the picture down.
    block_out_channels: Array.from({ length: blocks }, (_, level) => outputs(block(blocks - 1 - level))),
    down_block_types: new Array<string>(blocks).fill('DownEncoderBlock2D'),
    up_block_types: new Array<string>(blocks).fill('UpDecoderBlock2D'),
    layers_per_block: resnets - 1,
    use_quant_conv: weights.has('quant_conv.weight'),
    use_post_quant_conv: weights.has('post_quant_conv.weight'),
    mid_block_add_attention: weights.has('decoder.mid_block.attentions.0.group_norm.weight'),
  }
}

function countWhile(isThere: (index: number) => boolean): number {
  let count = 0
  while (count < MOST && isThere(count)) count++
  return count
}
