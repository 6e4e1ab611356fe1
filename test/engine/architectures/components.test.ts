import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildClipText } from '../../../engine/architectures/clip-text.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { buildVaeDecoder } from '../../../engine/architectures/vae-decoder.ts'
import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import type { ModelSession } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import { REFERENCE, byteDifferences, readComponent, relativeError } from './reference-tensors.ts'

/** Relative to the largest expected number; float32 on both sides. */
const TOLERANCE = 1e-4
const BUILDERS = { text_encoder: buildClipText, unet: buildUnet, vae: buildVaeDecoder } as const
const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

async function build(model: string, component: keyof typeof BUILDERS): Promise<ModelGraph> {
  const folder = join(REFERENCE, 'models', model)
  const weights = await openFolderWeights(folder, component)
  const config = JSON.parse(readFileSync(join(folder, component, 'config.json'), 'utf8')) as Record<string, unknown>
  const graph = BUILDERS[component](config, weights, 'cpu')
  t.same(weights.unused(), [], `every tensor of ${model}'s ${component} is used`)
  return graph
}

async function open(model: string, component: keyof typeof BUILDERS): Promise<ModelSession> {
  return runtime.open(await build(model, component))
}

for (const model of ['sd1-tiny', 'sd2-tiny', 'mixed-tiny']) {
  t.test(`the text encoder of ${model} gives the states transformers gives`, async t => {
    const { input_ids, ...expected } = readComponent(model, 'text_encoder')
    const session = await open(model, 'text_encoder')
    const outputs = await session.run({ input_ids: input_ids! })
    t.same(Object.keys(outputs), Object.keys(expected).sort())
    for (const [name, tensor] of Object.entries(expected)) {
      t.ok(relativeError(outputs[name], tensor) < TOLERANCE, name)
    }
    await session.release()
  })

  t.test(`the UNet of ${model} gives what diffusers gives, each row alone with the tokens it has`, async t => {
    const { out_sample, ...feeds } = readComponent(model, 'unet')
    const session = await open(model, 'unet')
    const outputs = await session.run(feeds)
    t.ok(relativeError(outputs.out_sample, out_sample) < TOLERANCE)
    await session.release()
  })

  t.test(`the VAE decoder of ${model} gives the picture diffusers gives`, async t => {
    const { latents, image } = readComponent(model, 'vae_decoder')
    const session = await open(model, 'vae')
    const outputs = await session.run({ latents: latents! })
    const { largest, share } = byteDifferences(outputs.image, image)
    t.ok(largest <= 1 && share < 1e-3, `${share} of the bytes differ, by ${largest} at most`)
    await session.release()
  })
}
