import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildVaeDecoder } from '../../../engine/architectures/vae-decoder.ts'
import { buildVaeEncoder } from '../../../engine/architectures/vae-encoder.ts'
import { createCudaLayers } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { REFERENCE, readComponent, relativeError } from './reference-tensors.ts'

const MODELS = ['sd1-tiny', 'sd2-tiny', 'mixed-tiny', 'inpaint-tiny'] as const
/** Relative to the largest expected number; float32 on both sides. */
const TOLERANCE = 1e-4

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const configOf = (model: string) =>
  JSON.parse(readFileSync(join(REFERENCE, 'models', model, 'vae', 'config.json'), 'utf8')) as Record<string, unknown>

/** The CUDA lowering with standard operators in place of the fused ones. */
const expanded: LayersFactory = (graph, input, _lowering, precision) => createCudaLayers(graph, input, precision, expandedOperators(graph))

for (const model of MODELS) {
  for (const lowering of ['cpu', 'cuda'] as const) {
    t.test(`the VAE encoder of ${model} lowered for ${lowering} gives the distribution diffusers gives`, async t => {
      const { pixels, ...expected } = readComponent(model, 'vae_encoder')
      const weights = await openFolderWeights(join(REFERENCE, 'models', model), 'vae')
      const session = await runtime.open(buildVaeEncoder(configOf(model), weights, lowering, lowering === 'cuda' ? expanded : undefined))
      const outputs = await session.run({ pixels: pixels! })
      t.same(Object.keys(outputs).sort(), ['deviation', 'mean'])
      for (const [name, tensor] of Object.entries(expected)) {
        const error = relativeError(outputs[name], tensor)
        t.ok(error < TOLERANCE, `${name}: the error is ${error}`)
      }
      buildVaeDecoder(configOf(model), weights, lowering)
      t.same(weights.unused(), [], 'encoder and decoder use every tensor')
      await session.release()
    })
  }
}

t.test('the runtime knows every operator of the real CUDA graph', async t => {
  const weights = await openFolderWeights(join(REFERENCE, 'models', 'sd1-tiny'), 'vae')
  const message = /(Failed to find kernel for com\.microsoft\.|Could not find an implementation for )(NhwcConv|GroupNorm)\(1\)/
  await t.rejects(runtime.open(buildVaeEncoder(configOf('sd1-tiny'), weights, 'cuda')), { message })
})
