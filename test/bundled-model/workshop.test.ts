import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runPython, trainingPython } from './helpers/python.ts'

const smoke = fileURLToPath(new URL('../../../tools/bundled-model/smoke.py', import.meta.url))

t.test('the chain from drawing to a folder that diffusers loads runs through', { timeout: 290_000 }, async (t) => {
  const found = await trainingPython()
  if ('missing' in found) {
    t.pass('not run', { skip: found.missing })
    return
  }
  const printed = await runPython(found.python, [smoke], 280_000)
  t.match(printed, /everything right: [\d.]+ of 16/, 'a text encoder was trained and measured')
  t.match(printed, /16 held-out drawings: .* everything [\d.]+/, 'a detector was trained and measured')
  t.match(printed, /latents-a-256x256-0001\.pt/, 'latents were made')
  t.match(printed, /picture 128 128\n/, 'the exported folder makes a picture')
  t.match(printed, /neon, 2 held-out drawings: /, 'a judge of looks was trained and measured')
  t.match(printed, /picture with add-ons 128 128\n$/, 'diffusers takes the exported ControlNet, LoRA and embedding at once')
})
