import type { UnetConfig, UnetLevel } from './unet-config.ts'

/** An attention of the pixels to the context. */
export interface CrossAttention {
  /** Within its network. */
  readonly name: string
  readonly width: number
  readonly heads: number
}

/** A UNet's attentions to the context in the order in which IP-Adapters' files number them: down, up, and then the middle. */
export function crossAttentions({ down, up, middle }: UnetConfig): readonly CrossAttention[] {
  const blocks = [
    ...down.map((level, index) => ({ level, name: `down_blocks.${index}`, layers: level.layers })),
    ...up.map((level, index) => ({ level, name: `up_blocks.${index}`, layers: level.layers + 1 })),
    ...(middle ? [{ level: middle, name: 'mid_block', layers: 1 }] : []),
  ]
  return blocks.filter(({ level }) => level.hasAttention).flatMap(({ level, name, layers }) => {
    return Array.from({ length: layers }, (_, layer) => attentionsOf(level, `${name}.attentions.${layer}`)).flat()
  })
}

function attentionsOf({ transformerDepth, channels, heads }: UnetLevel, transformer: string): readonly CrossAttention[] {
  return Array.from({ length: transformerDepth }, (_, depth) => ({ name: `${transformer}.transformer_blocks.${depth}.attn2`, width: channels, heads }))
}
