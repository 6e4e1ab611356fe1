import { textEncodersOf } from '../weights/component-names.ts'
import type { Components, WeightComponent } from '../weights/component-names.ts'
import type { SingleFileLayout } from '../weights/single-file-weights.ts'
import type { JsonObject } from './json-file.ts'
import { ModelError } from './model-error.ts'

/** What of a model's configurations numbers the blocks of a single-file checkpoint. Throws a ModelError that names the field. */
export function singleFileLayout(configs: Components<JsonObject>): SingleFileLayout {
  const downBlockTypes = texts(configs.unet, 'down_block_types')
  const layers = configs.unet['layers_per_block'] ?? 2
  const layersPerBlock = Array.isArray(layers) ? layers : downBlockTypes.map(() => layers)
  if (layersPerBlock.length !== downBlockTypes.length || !layersPerBlock.every(isCount)) throw invalid('unet', 'layers_per_block')
  const vaeBlocks = configs.vae['block_out_channels']
  if (!Array.isArray(vaeBlocks)) throw invalid('vae', 'block_out_channels')
  const textLayers = textEncodersOf(configs).map(([component, { num_hidden_layers: count }]) => {
    if (!isCount(count)) throw invalid(component, 'num_hidden_layers')
    return [component, count] as const
  })
  return {
    unet: { downBlockTypes, upBlockTypes: texts(configs.unet, 'up_block_types'), layersPerBlock },
    vaeBlocks: vaeBlocks.length,
    textLayers: Object.fromEntries(textLayers),
  }
}

function texts(config: JsonObject, key: string): readonly string[] {
  const value = config[key]
  if (!Array.isArray(value) || !value.every(entry => typeof entry === 'string')) throw invalid('unet', key)
  return value
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 1000
}

function invalid(component: WeightComponent, key: string): ModelError {
  return new ModelError(`${component}/config.json has a ${key} that cannot be used`)
}
