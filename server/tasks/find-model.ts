import type { ModelRegistry, ModelSpec, ModelType } from '../../engine/index.ts'
import type { Refusal } from './refusal.ts'
import type { WireParameter } from './wire-parameters.ts'

/** What an AIR stands for, if it is of the type that the parameter takes. */
export function findModel({ parameter, code }: WireParameter, air: string, type: ModelType, registry: ModelRegistry): ModelSpec | Refusal {
  const model = registry.find(air)
  const about = { parameter, type: 'string', value: air }
  if (model?.type === type) return model
  if (model) {
    const expected = `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
    return { code, ...about, expected, value: `${air}, which is of type ${model.type}` }
  }
  const unusable = registry.broken.find(candidate => candidate.air.toLowerCase() === air.toLowerCase())
  if (unusable) return { code: 'modelUnavailable', ...about, reason: unusable.reason.replace(/\.$/, '') }
  return { code: 'modelNotFound', ...about, allowedValues: registry.models.filter(spec => spec.type === type).map(spec => spec.air) }
}
