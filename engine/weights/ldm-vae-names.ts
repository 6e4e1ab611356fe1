const PARTS: readonly (readonly [RegExp, string])[] = [
  [/\.nin_shortcut\./, '.conv_shortcut.'],
  [/\.mid\.block_1\./, '.mid_block.resnets.0.'],
  [/\.mid\.block_2\./, '.mid_block.resnets.1.'],
  [/\.mid\.attn_1\.norm\./, '.mid_block.attentions.0.group_norm.'],
  [/\.mid\.attn_1\.([qkv])\./, '.mid_block.attentions.0.to_$1.'],
  [/\.mid\.attn_1\.proj_out\./, '.mid_block.attentions.0.to_out.0.'],
  [/coder\.norm_out\./, 'coder.conv_norm_out.'],
  [/^encoder\.down\.(\d+)\.block\./, 'encoder.down_blocks.$1.resnets.'],
  [/^encoder\.down\.(\d+)\.downsample\./, 'encoder.down_blocks.$1.downsamplers.0.'],
]
const KNOWN = /^(encoder|decoder)\.(conv_in|conv_out|norm_out|mid|down|up)\.|^(post_)?quant_conv\./

/**
 * Maps a VAE's tensor names in original checkpoints to diffusers' (undefined for a name no VAE has).
 * The original counts the decoder's blocks from the picture's resolution, diffusers from the latents'.
 */
export function ldmVaeNames(blocks: number): (name: string) => string | undefined {
  return name => {
    if (!KNOWN.test(name)) return undefined
    const up = /^decoder\.up\.(\d+)\.(block|upsample)\.(.+)$/.exec(name)
    const mapped = up ? upBlock(blocks - 1 - Number(up[1]), up[2], up[3]) : name
    return mapped && PARTS.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), mapped)
  }
}

function upBlock(level: number, kind: string | undefined, rest: string | undefined): string | undefined {
  if (level < 0) return undefined
  return `decoder.up_blocks.${level}.${kind === 'block' ? 'resnets' : 'upsamplers.0'}.${rest}`
}
