import { join } from 'node:path'
import t from 'tap'
import type { PartType } from '../../../engine/models/loaded-model.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { ModelType } from '../../../engine/models/model-spec.ts'
import { packageRoot } from '../../../engine/models/package-asset.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'

t.test('the models that come with the package are all usable and open', async t => {
  const registry = await openRegistry([join(await packageRoot(), 'models')])
  t.same(registry.broken, [])
  t.ok(registry.models.length > 0)
  const loader = createModelLoader({ registry, runtime: await openRuntime({ type: 'cpu' }, { threads: 1 }), weightsBudgetBytes: 1e9 })
  const [checkpoint, ...addOns] = registry.models
  if (!checkpoint) throw new Error('the first model is the checkpoint')
  const { air, defaults } = checkpoint
  const base = await loader.load(air)
  t.equal(base.spec.air, air)
  t.ok(defaults.width && defaults.height && defaults.steps, 'a request may leave out its size and steps')
  const types = addOns.map(({ type }) => type).sort()
  t.same(types, [ModelType.controlNet, ModelType.embedding, ModelType.lora, ModelType.lora])
  for (const { air, type } of addOns) {
    const isControlNet = type === ModelType.controlNet
    const held = isControlNet ? loader.useSteeredUnet({ controlNets: [air], ipAdapters: [] }, base) : loader.usePart(type as PartType, air, base)
    t.ok((await held).part, `${air} fits the checkpoint`)
  }
  await loader.release()
})
