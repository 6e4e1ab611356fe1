import { parseClipTextConfig } from '../architectures/clip-text-config.ts'
import { parseUnetConfig } from '../architectures/unet-config.ts'
import type { Components } from '../weights/component-names.ts'
import type { JsonObject } from './json-file.ts'
import type { AddedInputs } from './loaded-model.ts'
import { ModelError } from './model-error.ts'

/** Height and width of the original picture, top and left of its crop, then height and width of the target, or one score. */
const TIME_IDS: Readonly<Record<number, AddedInputs['timeIds']>> = { 6: 'sizes', 5: 'sizesAndScore' }

/**
 * What a UNet is told besides the timestep and the prompt's states; undefined in families that have no such inputs.
 * Throws a ModelError when its width fits neither kind.
 */
export function addedInputsOf({ unet, text_encoder_2: text }: Components<JsonObject>): AddedInputs | undefined {
  const { added } = parseUnetConfig(unet)
  if (!added || !text) return undefined
  const textEmbedsSize = parseClipTextConfig(text).projectionWidth
  const timeIds = TIME_IDS[(added.width - textEmbedsSize) / added.numberWidth]
  if (timeIds) return { textEmbedsSize, timeIds }
  throw new ModelError(
    `its components do not fit together: the unet takes ${added.width} added numbers, which are neither six nor five times ` +
      `${added.numberWidth} beside the second text encoder's ${textEmbedsSize}`,
  )
}
