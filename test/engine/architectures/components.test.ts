import t from 'tap'
import { buildVaeEncoder } from '../../../engine/architectures/vae-encoder.ts'
import type { ModelSession } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { REFERENCE_MODELS, TEXT_ENCODERS, buildReference, readConfig } from './build-reference.ts'
import type { Component } from './build-reference.ts'
import { openUnet } from './open-unet.ts'
import { byteDifferences, readComponent, relativeError, sliceRows, textFeeds } from './reference-tensors.ts'

/** Relative to the largest expected number; float32 on both sides. */
const TOLERANCE = 1e-4
const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

async function open(model: string, component: Component): Promise<ModelSession> {
  const { graph, projection, weights } = await buildReference(model, component)
  // The two halves of a VAE take their tensors from one source.
  if (component === 'vae') buildVaeEncoder(readConfig(model, component), weights, 'cpu')
  t.same(weights.unused(), [], `every tensor of ${model}'s ${component} is used`)
  return openUnet(runtime, graph, projection)
}

for (const model of REFERENCE_MODELS) {
  for (const component of TEXT_ENCODERS[model]) {
    t.test(`the ${component} of ${model} gives the states transformers gives`, async t => {
      const { input_ids, ...expected } = readComponent(model, component)
      const session = await open(model, component)
      const outputs = await session.run(textFeeds(input_ids, session.inputs))
      t.same(Object.keys(outputs).sort(), Object.keys(expected).sort())
      for (const [name, tensor] of Object.entries(expected)) {
        t.ok(relativeError(outputs[name], tensor) < TOLERANCE, name)
      }
      await session.release()
    })
  }

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

t.test('a row of the UNet gives the same alone and beside others', async t => {
  const { out_sample: _, ...feeds } = readComponent('sd1-tiny', 'unet')
  const session = await open('sd1-tiny', 'unet')
  const together = (await session.run(feeds)).out_sample!
  for (let row = 0; row < 3; row++) {
    const rowFeeds = Object.entries(feeds).map(([name, tensor]) => [name, sliceRows(tensor, row, row + 1)] as const)
    const alone = await session.run(Object.fromEntries(rowFeeds))
    t.ok(relativeError(alone.out_sample, sliceRows(together, row, row + 1)) < 1e-5, `row ${row}`)
  }
  await session.release()
})

t.test('tokens that a row does not have change nothing, whatever they hold', async t => {
  const { out_sample: _, ...feeds } = readComponent('sd2-tiny', 'unet')
  const session = await open('sd2-tiny', 'unet')
  const before = await session.run(feeds)
  const states = feeds.encoder_hidden_states!
  const [, tokens = 0, width = 0] = states.dims
  const changed = Float32Array.from(states.data as Float32Array)
  // Row 2 has five tokens, as the reference was made.
  changed.fill(50, (2 * tokens + 5) * width)
  const after = await session.run({ ...feeds, encoder_hidden_states: { dtype: 'float32', dims: states.dims, data: changed } })
  t.same(after.out_sample, before.out_sample)
  await session.release()
})

t.test('text rows do not depend on each other', async t => {
  const { input_ids } = readComponent('sd1-tiny', 'text_encoder')
  const session = await open('sd1-tiny', 'text_encoder')
  const together = await session.run(textFeeds(input_ids, session.inputs))
  const alone = await session.run(textFeeds(sliceRows(input_ids!, 1, 2), session.inputs))
  t.ok(relativeError(alone.hidden_states_1, sliceRows(together.hidden_states_1!, 1, 2)) < 1e-5)
  await session.release()
})
