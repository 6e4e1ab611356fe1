/** What decides the numbering of a UNet's blocks; fields as in diffusers' `unet/config.json`, in camel case. */
export interface UnetLayout {
  readonly downBlockTypes: readonly string[]
  readonly upBlockTypes: readonly string[]
  /** ResNets of each down block; an up block has one more. */
  readonly layersPerBlock: readonly number[]
}

interface Module {
  readonly name: string
  readonly isResnet: boolean
}

const FIXED: Readonly<Record<string, string>> = {
  'time_embed.0': 'time_embedding.linear_1',
  'time_embed.2': 'time_embedding.linear_2',
  'label_emb.0.0': 'add_embedding.linear_1',
  'label_emb.0.2': 'add_embedding.linear_2',
  'input_blocks.0.0': 'conv_in',
  'out.0': 'conv_norm_out',
  'out.2': 'conv_out',
  'middle_block.1': 'mid_block.attentions.0',
}
const RESNET_PARTS: Readonly<Record<string, string>> = {
  'in_layers.0': 'norm1',
  'in_layers.2': 'conv1',
  'emb_layers.1': 'time_emb_proj',
  'out_layers.0': 'norm2',
  'out_layers.3': 'conv2',
  skip_connection: 'conv_shortcut',
}
const MODULE = /^(time_embed\.\d+|label_emb\.0\.\d+|out\.\d+|middle_block\.\d+|(?:input|output)_blocks\.\d+\.\d+)\.(.+)$/

/**
 * Maps a UNet's tensor names in original checkpoints to diffusers' (undefined for a name that layout does not have).
 *
 * The original counts blocks in one row over all resolutions and numbers the parts of each (0 the ResNet, then the
 * attention, then the resampling); diffusers groups them by resolution. So the map follows from the layout alone.
 */
export function ldmUnetNames(layout: UnetLayout): (name: string) => string | undefined {
  const modules = new Map<string, Module>(Object.entries(FIXED).map(([ldm, name]) => [ldm, { name, isResnet: false }]))
  modules.set('middle_block.0', { name: 'mid_block.resnets.0', isResnet: true })
  modules.set('middle_block.2', { name: 'mid_block.resnets.1', isResnet: true })
  addDownBlocks(modules, layout)
  addUpBlocks(modules, layout)
  return name => {
    const [, ldm = '', rest = ''] = MODULE.exec(name) ?? []
    const module = modules.get(ldm)
    if (!module) return undefined
    const inner = module.isResnet ? resnetPart(rest) : rest.replace(/^op\./, 'conv.')
    return inner === undefined ? undefined : `${module.name}.${inner}`
  }
}

const LAYER_KEY = /^(time_embed_\d+|label_emb_0_\d+|out_\d+|middle_block_\d+|(?:input|output)_blocks_\d+_\d+)(?:_(.+))?$/

/**
 * Maps the original names of a UNet's layers, written with underscores for dots, to diffusers' names in the same form
 * (undefined for a name that layout does not have). LoRAs for SDXL are written so.
 */
export function ldmLayerKeys(layout: UnetLayout): (key: string) => string | undefined {
  const nameOf = ldmUnetNames(layout)
  return key => {
    const [, module, part] = LAYER_KEY.exec(key) ?? []
    if (module === undefined) return undefined
    const dotted = module.replace(/_(\d+)/g, '.$1')
    const inner = part?.replace(/^(in_layers|emb_layers|out_layers)_/, '$1.')
    return nameOf(`${dotted}.${inner === undefined ? '' : `${inner}.`}weight`)?.replace(/\.weight$/, '').replaceAll('.', '_')
  }
}

function addDownBlocks(modules: Map<string, Module>, { downBlockTypes, layersPerBlock }: UnetLayout): void {
  let block = 1
  for (const [level, type] of downBlockTypes.entries()) {
    for (let layer = 0; layer < (layersPerBlock[level] ?? 0); layer++, block++) {
      modules.set(`input_blocks.${block}.0`, { name: `down_blocks.${level}.resnets.${layer}`, isResnet: true })
      if (hasAttention(type)) modules.set(`input_blocks.${block}.1`, { name: `down_blocks.${level}.attentions.${layer}`, isResnet: false })
    }
    const isLast = level === downBlockTypes.length - 1
    if (!isLast) modules.set(`input_blocks.${block++}.0`, { name: `down_blocks.${level}.downsamplers.0`, isResnet: false })
  }
}

function addUpBlocks(modules: Map<string, Module>, { upBlockTypes, layersPerBlock }: UnetLayout): void {
  let block = 0
  for (const [level, type] of upBlockTypes.entries()) {
    const layers = (layersPerBlock[upBlockTypes.length - 1 - level] ?? 0) + 1
    for (let layer = 0; layer < layers; layer++, block++) {
      modules.set(`output_blocks.${block}.0`, { name: `up_blocks.${level}.resnets.${layer}`, isResnet: true })
      if (hasAttention(type)) modules.set(`output_blocks.${block}.1`, { name: `up_blocks.${level}.attentions.${layer}`, isResnet: false })
    }
    const isLast = level === upBlockTypes.length - 1
    const part = hasAttention(type) ? 2 : 1
    if (!isLast) modules.set(`output_blocks.${block - 1}.${part}`, { name: `up_blocks.${level}.upsamplers.0`, isResnet: false })
  }
}

function hasAttention(blockType: string): boolean {
  return blockType.startsWith('CrossAttn')
}

function resnetPart(rest: string): string | undefined {
  const dot = rest.lastIndexOf('.')
  const part = RESNET_PARTS[rest.slice(0, dot)]
  return part && part + rest.slice(dot)
}
