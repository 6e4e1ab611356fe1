import { ModelType } from '../../engine/index.ts'
import type { LoraUse, ModelRegistry } from '../../engine/index.ts'
import type { LoraInput } from '../../protocol/index.ts'
import { findModel } from './find-model.ts'
import { isRefusal } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** Turns the `lora` parameter into what the engine takes, or says which of them cannot be used and why. */
export function planLoras(inputs: readonly LoraInput[], models: ModelRegistry): readonly LoraUse[] | Refusal {
  const uses: LoraUse[] = []
  for (const [index, { model: air, weight }] of inputs.entries()) {
    const model = findModel({ parameter: `lora[${index}].model`, code: 'invalidLora' }, air, ModelType.lora, models)
    if (isRefusal(model)) return model
    uses.push({ model: model.air, weight })
  }
  return uses
}
