import { join } from 'node:path'
import t from 'tap'
import { openRegistry } from '../../engine/index.ts'
import type { Device } from '../../engine/index.ts'
import { resolveConfig } from '../../server/config/resolve-config.ts'
import { StartError } from '../../server/start-error.ts'
import { planWorkers } from '../../server/worker-plan.ts'

const models = [join(process.cwd(), 'models')]
const registry = await openRegistry(models)

function plan(flags: Readonly<Record<string, string>>, ...devices: readonly Device[]) {
  return planWorkers({ config: resolveConfig({ flags, env: {} }), models, registry, imageFolder: '/images', devices, report: undefined })
}

t.test('workers compute at the precision that the server was started with', async t => {
  const cpu: Device = { type: 'cpu' }
  t.equal(plan({}, cpu)(cpu, 'w').precision, 'default')
  t.equal(plan({ precision: 'int8' }, cpu)(cpu, 'w').precision, 'int8')
})

t.test('whole numbers on a CUDA device are refused at the start, by the name of the setting', async t => {
  const cuda: Device = { type: 'cuda', index: 1 }
  t.throws(() => plan({ precision: 'int8' }, cuda), new StartError('The setting precision int8 is for the processor, and cuda:1 would compute; use --device cpu with it, or leave it out.'))
  t.equal(plan({}, cuda)(cuda, 'w').precision, 'default')
})
