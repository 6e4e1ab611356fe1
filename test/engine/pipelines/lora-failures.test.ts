import { join } from 'node:path'
import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { referenceModel } from '../weights/single-file.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels } from './reference-pictures.ts'

t.setTimeout(180_000)

const never = new AbortController().signal
const models = join(referenceModel('sd1-tiny'), '..')

t.test('a LoRA that does not fit fails its task alone, by name; its neighbours are as alone', async t => {
  const registry = await openRegistry([models, join(models, '..', 'loras')])
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  const [first, second] = (await referencePictures()).slice(0, 2)
  const picture = (id: string, loras: readonly { model: string; weight: number }[]) => engine.generate({ ...first!.request, id, loras }, never)
  const others = [engine.generate(first!.request, never), engine.generate(second!.request, never)]
  await t.rejects(picture('wrong', [{ model: 'local:sd1-tiny-peft@1', weight: 1 }, { model: 'local:sd2-tiny-metadata@1', weight: 1 }]), {
    name: 'EngineError', code: 'invalidParameter', parameter: 'loras[1].model',
    message: /^loras\[1\]\.model: the model local:sd2-tiny-metadata@1 cannot be loaded: its key ".*" is of a layer/,
  })
  await t.rejects(picture('none', [{ model: 'local:nobody@1', weight: 1 }]), { parameter: 'loras[0].model', message: /there is no model/ })
  for (const [i, image] of (await Promise.all(others)).entries()) {
    t.ok(compare(image, [first, second][i]!.image).shareWithinOne >= shareOfPixels)
  }
  t.notOk(runs.some(({ generations }) => generations.includes('wrong')), 'it took part in no run')
  await engine.stop()
})
