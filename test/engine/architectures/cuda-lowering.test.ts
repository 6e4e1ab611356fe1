import t from 'tap'
import { createCudaLayers } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import type { Precision } from '../../../engine/graph/layer-context.ts'
import type { ModelSession } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { REFERENCE_MODELS, TEXT_ENCODERS, buildReference } from './build-reference.ts'
import type { Component } from './build-reference.ts'
import { byteDifferences, readComponent, relativeError, textFeeds } from './reference-tensors.ts'

const FLOAT32_TOLERANCE = 1e-4
/** Half precision has 11 bits; a network of some fifty layers loses two or three of them. */
const FLOAT16_TOLERANCE = 1e-2

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

async function open(model: string, component: Component, makeLayers?: LayersFactory): Promise<ModelSession> {
  const { graph } = await buildReference(model, component, 'cuda', makeLayers)
  return runtime.open(graph)
}

/** The CUDA lowering with standard operators in place of the fused ones. */
function expanded(used: Set<string>, precision?: Precision): LayersFactory {
  return (graph, input, _lowering, chosen) => createCudaLayers(graph, input, precision ?? chosen, expandedOperators(graph, used))
}

for (const model of REFERENCE_MODELS) {
  for (const [precision, tolerance] of [['float32', FLOAT32_TOLERANCE], ['float16', FLOAT16_TOLERANCE]] as const) {
    // The processor emulates half precision slowly: the two smaller models have all there is to test.
    if (precision === 'float16' && model === 'sd1-tiny') continue
    t.test(`the UNet of ${model} lowered for CUDA in ${precision} gives what diffusers gives`, async t => {
      const { out_sample, ...feeds } = readComponent(model, 'unet')
      const used = new Set<string>()
      const session = await open(model, 'unet', expanded(used, precision))
      const error = relativeError((await session.run(feeds)).out_sample, out_sample)
      t.ok(error < tolerance, `the error is ${error}`)
      t.same([...used].sort(), ['GroupNorm', 'NhwcConv', 'SkipGroupNorm', 'SkipGroupNorm of a vector'])
      await session.release()
    })
  }

  t.test(`the VAE decoder of ${model} lowered for CUDA gives the picture diffusers gives`, async t => {
    const { latents, image } = readComponent(model, 'vae_decoder')
    const session = await open(model, 'vae', expanded(new Set()))
    const { largest, share } = byteDifferences((await session.run({ latents: latents! })).image, image)
    t.ok(largest <= 1 && share < 1e-3, `${share} of the bytes differ, by ${largest} at most`)
    await session.release()
  })

  for (const component of TEXT_ENCODERS[model]) {
    t.test(`the ${component} of ${model} lowered for CUDA gives the states transformers gives`, async t => {
      const { input_ids, ...expected } = readComponent(model, component)
      const session = await open(model, component, expanded(new Set()))
      const outputs = await session.run(textFeeds(input_ids, session.inputs))
      for (const [name, tensor] of Object.entries(expected)) t.ok(relativeError(outputs[name], tensor) < FLOAT32_TOLERANCE, name)
      await session.release()
    })
  }

  t.test(`the runtime knows every operator, attribute and type of ${model}'s real CUDA graph`, async t => {
    // The graph is checked against the operators' definitions before kernels are looked for, of which the processor has none.
    for (const component of ['unet', 'vae'] as const) {
      const message = /(Failed to find kernel for com\.microsoft\.|Could not find an implementation for )(NhwcConv|GroupNorm)\(1\)/
      await t.rejects(open(model, component), { message })
    }
  })
}
