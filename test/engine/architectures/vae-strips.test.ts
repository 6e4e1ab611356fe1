import t from 'tap'
import { buildVaeDecoder } from '../../../engine/architectures/vae-decoder.ts'
import { layersWith } from '../../../engine/graph/create-layers.ts'
import type { ModelSession } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { REFERENCE_MODELS, buildReference, readConfig } from './build-reference.ts'
import { byteDifferences, readComponent } from './reference-tensors.ts'
import { ShapeSource } from './shape-source.ts'

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

async function openDecoder(model: string, stripsFrom: number): Promise<ModelSession> {
  return runtime.open((await buildReference(model, 'vae', 'cpu', layersWith({ stripsFrom }))).graph)
}

for (const model of REFERENCE_MODELS) {
  t.test(`the VAE decoder of ${model} gives in strips the picture diffusers gives`, async t => {
    const { latents, image } = readComponent(model, 'vae_decoder')
    const session = await openDecoder(model, 1)
    const outputs = await session.run({ latents: latents! })
    const { largest, share } = byteDifferences(outputs.image, image)
    t.ok(largest <= 1 && share < 1e-3, `${share} of the bytes differ, by ${largest} at most`)
    await session.release()
  })
}

t.test('strips give the whole map\'s picture at any height, and find the row that is no picture', async t => {
  const [strips, whole] = [await openDecoder('sd1-tiny', 1), await openDecoder('sd1-tiny', Infinity)]
  for (const [height, width] of [[4, 4], [8, 8], [9, 3], [16, 12]] as const) {
    const data = Float32Array.from({ length: 2 * 4 * height * width }, (_, index) => 2 * Math.sin(index * 1.7))
    const latents = { dtype: 'float32', dims: [2, 4, height, width], data } as const
    const [left, right] = [await strips.run({ latents }), await whole.run({ latents })]
    const { largest, share } = byteDifferences(left.image, right.image)
    t.ok(largest <= 1 && share < 1e-3, `${height}x${width}: ${share} of the bytes differ, by ${largest} at most`)
    data[data.length - 1] = Infinity
    const { image_check } = await strips.run({ latents })
    t.same([...image_check?.data as Float32Array].map(Number.isNaN), [false, true])
  }
  await Promise.all([strips.release(), whole.release()])
})

t.test('decoders of the published widths are cut on the processor, small ones and those of CUDA are not', t => {
  const config = { ...readConfig('sd1-tiny', 'vae'), norm_num_groups: 32 }
  const isCut = (channels: readonly number[], lowering: 'cpu' | 'cuda'): boolean =>
    Buffer.from(buildVaeDecoder({ ...config, block_out_channels: channels }, new ShapeSource(), lowering).encode()).includes('Split')
  const levels = (readConfig('sd1-tiny', 'vae')['block_out_channels'] as readonly number[]).length
  const published = [128, 256, 512, 512].slice(0, levels)
  t.same([isCut(published, 'cpu'), isCut(published, 'cuda'), isCut(published.map(() => 32), 'cpu')], [true, false, false])
  t.end()
})
