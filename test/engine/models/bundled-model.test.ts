import { join } from 'node:path'
import t from 'tap'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { packageRoot } from '../../../engine/models/package-asset.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'

t.test('the models that come with the package are all usable and open', async t => {
  const registry = await openRegistry([join(await packageRoot(), 'models')])
  t.same(registry.broken, [])
  t.ok(registry.models.length > 0)
  const loader = createModelLoader({ registry, runtime: await openRuntime({ type: 'cpu' }, { threads: 1 }), weightsBudgetBytes: 1e9 })
  for (const { air, defaults } of registry.models) {
    const model = await loader.load(air)
    t.equal(model.spec.air, air)
    t.ok(defaults.width && defaults.height && defaults.steps, 'a request may leave out its size and steps')
  }
  await loader.release()
})
