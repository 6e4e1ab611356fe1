import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { referenceModel } from '../weights/single-file.ts'

const checker = join(REFERENCE, 'safety-checker', 'tiny')

/** A folder with two checkpoints, of which the first may bring its own safety checker. */
async function modelsFolder(t: Test, hasOwn: boolean): Promise<string> {
  const folder = t.testdir({})
  for (const name of ['a', 'b']) await cp(referenceModel('sd1-tiny'), join(folder, name), { recursive: true })
  if (!hasOwn) return folder
  await cp(checker, join(folder, 'a', 'safety_checker'), { recursive: true })
  await mkdir(join(folder, 'a', 'feature_extractor'))
  await cp(join(checker, 'preprocessor_config.json'), join(folder, 'a', 'feature_extractor', 'preprocessor_config.json'))
  await rm(join(folder, 'a', 'safety_checker', 'preprocessor_config.json'))
  return folder
}

const airs = async (folder: string) => {
  const { models, broken } = await openRegistry([folder])
  return { broken, airs: Object.fromEntries(models.map(({ air, type, safetyChecker }) => [air, safetyChecker ?? (type === 'checkpoint' ? 'none' : type)])) }
}

t.test('a checkpoint has no safety checker where none is offered', async t => {
  t.same(await airs(await modelsFolder(t, false)), { broken: [], airs: { 'local:a@1': 'none', 'local:b@1': 'none' } })
})

t.test("a checkpoint's own safety checker is a model by itself, and judges its pictures alone", async t => {
  t.same(await airs(await modelsFolder(t, true)), {
    broken: [],
    airs: { 'local:a@1': 'local:a-safety-checker@1', 'local:a-safety-checker@1': 'safetyChecker', 'local:b@1': 'none' },
  })
})

t.test('a safety checker that is offered by itself judges the pictures of those that have none', async t => {
  const folder = await modelsFolder(t, true)
  await cp(checker, join(folder, 'checker'), { recursive: true })
  const expected = {
    'local:a@1': 'local:a-safety-checker@1', 'local:a-safety-checker@1': 'safetyChecker', 'local:b@1': 'local:checker@1', 'local:checker@1': 'safetyChecker',
  }
  t.same((await airs(folder)).airs, expected, 'told from its configuration')
  await writeFile(join(folder, 'models.json'), JSON.stringify({
    models: [
      { air: 'local:b@1', type: 'checkpoint', path: 'b' }, { air: 'local:a@1', type: 'checkpoint', path: 'a' },
      { air: 'local:checker@1', type: 'safetyChecker', path: 'checker' },
    ],
  }))
  t.same((await airs(folder)).airs, expected, 'or named in models.json')
})

t.test('a safety checker that cannot be used is reported and does not harm its checkpoint', async t => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{"crop_size": 16}', /preprocessor_config.crop_size must give pictures of 32x32/],
    ['{"resample": 0}', /preprocessor_config.resample is not supported as 0/],
    ['{"image_mean": [0, 0]}', /preprocessor_config.image_mean must be 3 numbers/],
    ['{"do_center_crop": false}', /preprocessor_config.size must give/],
    ['{"size": "large"}', /preprocessor_config.size is not supported as "large"/],
  ]
  for (const [preprocessor, reason] of cases) {
    const folder = await modelsFolder(t, true)
    await writeFile(join(folder, 'a', 'feature_extractor', 'preprocessor_config.json'), preprocessor)
    const { broken, airs: found } = await airs(folder)
    t.match(broken, [{ air: 'local:a-safety-checker@1', reason }])
    t.same(found, { 'local:a@1': 'none', 'local:b@1': 'none' })
  }
})

t.test('a file is no safety checker', async t => {
  const folder = t.testdir({})
  await cp(join(checker, 'model.safetensors'), join(folder, 'model.safetensors'))
  await writeFile(join(folder, 'models.json'), JSON.stringify({ models: [{ air: 'local:c@1', type: 'safetyChecker', path: 'model.safetensors' }] }))
  t.match((await airs(folder)).broken, [{ air: 'local:c@1', reason: /is a folder with config.json/ }])
})
