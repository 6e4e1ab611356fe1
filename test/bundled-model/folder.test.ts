import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runPython, trainingPython } from './helpers/python.ts'

const models = fileURLToPath(new URL('../../../models/', import.meta.url))
const script = fileURLToPath(new URL('../../../test/bundled-model/load_with_diffusers.py', import.meta.url))
const mostBytes = 40_000_000

interface Loaded {
  readonly parts: Readonly<Record<string, string>>
  readonly prediction: string
  readonly size: readonly number[]
  readonly red: readonly [number, number, number]
  readonly blue: readonly [number, number, number]
}

t.test('what ships as models is small', async (t) => {
  const names = await readdir(models, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => {
    const found = await stat(join(models, name))
    return found.isFile() ? found.size : 0
  }))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  t.ok(total > 1_000_000 && total <= mostBytes, `${total} bytes are no more than ${mostBytes}`)
})

t.test('diffusers loads the bundled folder as it is, and its prompts decide the picture', { timeout: 280_000 }, async (t) => {
  const found = await trainingPython()
  if ('missing' in found) {
    t.pass('not run', { skip: found.missing })
    return
  }
  const printed = await runPython(found.python, [script, join(models, 'latentd-tiny')], 270_000)
  const loaded = JSON.parse(printed.trim().split('\n').at(-1) ?? '') as Loaded
  t.match(loaded.parts, {
    unet: 'UNet2DConditionModel', vae: 'AutoencoderKL', text_encoder: 'CLIPTextModel', scheduler: 'DPMSolverMultistepScheduler',
  })
  t.equal(loaded.prediction, 'v_prediction')
  t.same(loaded.size, [256, 256, 3])
  t.ok(loaded.red[0] > loaded.red[2] + 60, `the middle of a red square is red: ${loaded.red.map(Math.round).join(' ')}`)
  t.ok(loaded.blue[2] > loaded.blue[0] + 60, `the middle of a blue square is blue: ${loaded.blue.map(Math.round).join(' ')}`)
})
