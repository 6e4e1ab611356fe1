import { textEncodersOf } from '../weights/component-names.ts'
import type { Components } from '../weights/component-names.ts'
import type { UnetLayout } from '../weights/ldm-unet-names.ts'
import type { SingleFileLayout } from '../weights/single-file-weights.ts'
import type { JsonObject } from './json-file.ts'
import { ModelError } from './model-error.ts'

/** What of a model's configurations numbers the blocks of a single-file checkpoint. Throws a ModelError that names the field. */
export function singleFileLayout(configs: Components<JsonObject>): SingleFileLayout {
  const vaeBlocks = configs.vae['block_out_channels']
  if (!Array.isArray(vaeBlocks)) throw invalid('vae', 'block_out_channels')
  const textLayers = textEncodersOf(configs).map(([component, { num_hidden_layers: count }]) => {
    if (!isCount(count)) throw invalid(component, 'num_hidden_layers')
    return [component, count] as const
  })
  return {
    unet: { ...encoderLayout('unet', configs.unet), upBlockTypes: texts(configs.unet, 'up_block_types') },
    vaeBlocks: vaeBlocks.length,
    textLayers: Object.fromEntries(textLayers),
  }
}

/** What of a ControlNet's configuration numbers its blocks. Throws a ModelError that names the field. */
export function controlNetLayout(config: JsonObject): UnetLayout {
  return { ...encoderLayout('controlnet', config), upBlockTypes: [] }
}

function encoderLayout(label: string, config: JsonObject): Omit<UnetLayout, 'upBlockTypes'> {
  const downBlockTypes = texts(config, 'down_block_types', label)
  const layers = config['layers_per_block'] ?? 2
  const layersPerBlock = Array.isArray(layers) ? layers : downBlockTypes.map(() => layers)
  if (layersPerBlock.length !== downBlockTypes.length || !layersPerBlock.every(isCount)) throw invalid(label, 'layers_per_block')
  return { downBlockTypes, layersPerBlock }
}

function texts(config: JsonObject, key: string, label = 'unet'): readonly string[] {
  const value = config[key]
  if (!Array.isArray(value) || !value.every(entry => typeof entry === 'string')) throw invalid(label, key)
  return value
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 1000
}

function invalid(component: string, key: string): ModelError {
  return new ModelError(`${component}/config.json has a ${key} that cannot be used`)
}
