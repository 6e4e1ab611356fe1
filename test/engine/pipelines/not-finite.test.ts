import { cp, open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createEngine } from '../../../engine/create-engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { readSafetensors } from '../../../engine/weights/safetensors.ts'
import { request } from '../core/fake-model.ts'
import { referenceModel } from '../weights/single-file.ts'

const never = new AbortController().signal

/** Writes a not-a-number over the first element of a float32 tensor. */
async function spoil(file: string, tensor: string): Promise<void> {
  const place = (await readSafetensors(file)).tensors.get(tensor)
  if (place?.dtype !== 'F32') throw new Error(`${tensor} is not float32`)
  const handle = await open(place.file, 'r+')
  await handle.write(new Uint8Array(Float32Array.of(NaN).buffer), 0, 4, place.offset)
  await handle.close()
}

await t.test('a network whose weights hold no numbers gives an error, never a picture, and harms no other model', async (t) => {
  const folder = t.testdir({})
  for (const name of ['sound', 'broken-unet', 'broken-vae']) await cp(referenceModel('sd1-tiny'), join(folder, name), { recursive: true })
  await spoil(join(folder, 'broken-unet/unet/diffusion_pytorch_model.safetensors'), 'conv_out.weight')
  await spoil(join(folder, 'broken-vae/vae/diffusion_pytorch_model.safetensors'), 'decoder.conv_out.weight')
  const registry = await openRegistry([folder])
  const engine = await createEngine({ registry, device: { type: 'cpu' }, threads: 1, weightsBudgetBytes: 1e9, maxRows: 8 })
  const fields = { noiseScheduler: 'Euler', totalSteps: 2, width: 128, height: 128 }
  const [sound, unet, vae] = await Promise.allSettled(
    ['sound', 'broken-unet', 'broken-vae'].map((name) => engine.generate(request(name, { ...fields, model: `local:${name}@1` }), never)),
  )
  t.match(sound, { status: 'fulfilled', value: { width: 128, height: 128 } })
  t.match(unet, { reason: { code: 'inferenceError', message: 'the latents are not finite after step 1 of 2' } })
  t.match(vae, { reason: { code: 'inferenceError', message: 'the VAE of local:broken-vae@1 gives pixels that are not finite' } })
  await engine.stop()
})
