import { airKey } from './air.ts'
import type { BrokenModel, ModelRegistry, ModelSpec } from './model-spec.ts'

/** Makes a registry of entries that were looked at before, in this process or in another. */
export function fixedRegistry({ models, broken }: Pick<ModelRegistry, 'models' | 'broken'>): ModelRegistry {
  const byAir = new Map<string, ModelSpec>(models.map(model => [airKey(model.air), model]))
  return Object.freeze({
    models: Object.freeze([...models]),
    broken: Object.freeze<readonly BrokenModel[]>([...broken]),
    find: (air: string) => byAir.get(airKey(air)),
  })
}
