import { ModelType } from '../../engine/index.ts'
import type { IpAdapterUse, ModelRegistry, ModelSpec } from '../../engine/index.ts'
import type { IpAdapterInput } from '../../protocol/index.ts'
import { findModel } from './find-model.ts'
import { expectedImage, readImageInput } from './image-input.ts'
import type { ImageInput } from './image-input.ts'
import { isRefusal } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** What the uses of IP-Adapters are planned for. */
export interface IpAdapterContext {
  readonly models: ModelRegistry
  readonly checkpoint: ModelSpec
  /** Under which clients reach this server's pictures. */
  readonly baseUrl: string
}

const code = 'invalidIpAdapters'

/** Turns the `ipAdapters` parameter into what the engine takes, or says what is wrong with which of its values. */
export function planIpAdapters(inputs: readonly IpAdapterInput[], context: IpAdapterContext): readonly IpAdapterUse<ImageInput>[] | Refusal {
  const uses: IpAdapterUse<ImageInput>[] = []
  for (const [index, input] of inputs.entries()) {
    const use = planIpAdapter(input, `ipAdapters[${index}]`, context)
    if (isRefusal(use)) return use
    uses.push(use)
  }
  return uses
}

function planIpAdapter(input: IpAdapterInput, path: string, { models, checkpoint, baseUrl }: IpAdapterContext): IpAdapterUse<ImageInput> | Refusal {
  const model = findModel({ parameter: `${path}.model`, code }, input.model, ModelType.ipAdapter, models)
  if (isRefusal(model)) return model
  if (model.family !== undefined && model.family !== checkpoint.family) {
    const value = `${model.air}, which is for ${model.family} checkpoints`
    return { code, parameter: `${path}.model`, type: 'string', expected: `an IP-Adapter for ${checkpoint.family} checkpoints such as ${checkpoint.air}`, value }
  }
  const guideImage = readImageInput(input.guideImage, baseUrl)
  if (!guideImage) return { code, parameter: `${path}.guideImage`, type: 'string', expected: expectedImage, value: 'something else' }
  return { model: model.air, guideImage, weight: input.weight }
}
