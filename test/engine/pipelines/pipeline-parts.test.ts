import t from 'tap'
import { EmbedsCache } from '../../../engine/pipelines/embeds-cache.ts'
import { guide } from '../../../engine/pipelines/guide.ts'
import { isFiniteArray } from '../../../engine/pipelines/is-finite-array.ts'
import type { DenoiseState } from '../../../engine/pipelines/pipeline.ts'
import { UnetBatch } from '../../../engine/pipelines/unet-batch.ts'
import type { NoiseSchedulerRun } from '../../../engine/schedulers/noise-scheduler.ts'
import { fakeModel, fakeNoiseSchedule, fakeNoiseSource, request } from '../core/fake-model.ts'

await t.test('guidance goes from the unconditioned prediction through the conditioned one', (t) => {
  const result = guide(Float32Array.of(1, 2, -1), Float32Array.of(0.5, 2, 1), 3)
  t.same([...result], [0.5 + 3 * 0.5, 2, 1 + 3 * -2])
  t.end()
})

await t.test('a single value that is not finite is found wherever it stands', (t) => {
  for (const value of [NaN, Infinity, -Infinity]) {
    for (const at of [0, 3, 7]) t.equal(isFiniteArray(new Float32Array(8).fill(value, at, at + 1)), false)
  }
  t.equal(isFiniteArray(Float32Array.of(0, -0, 3e38, -3e38, 1e-45)), true)
  t.end()
})

await t.test('the cache drops what was not used for longest when its bytes are spent', (t) => {
  const cache = new EmbedsCache(3 * 16)
  const embeds = (states: number) => ({ states: new Float32Array(states - 1), textEmbeds: new Float32Array(1) })
  for (const key of ['a', 'b', 'c']) cache.set(key, embeds(4))
  t.ok(cache.get('a'))
  cache.set('d', embeds(4))
  t.same(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== undefined), [true, false, true, true])
  cache.set('a', embeds(8))
  t.equal(cache.byteLength, 48, 'a replaced entry is not counted twice')
  cache.set('huge', embeds(100))
  t.equal(cache.byteLength, 0, 'what does not fit at all is not kept')
  t.end()
})

function state(timestep: number, latents: Float32Array): DenoiseState {
  const run: NoiseSchedulerRun = {
    timesteps: [0, timestep], initNoiseSigma: 1,
    addNoise: () => latents,
    scaleModelInput: (sample, _evaluation, out) => sample.forEach((value, i) => (out[i] = value / 2)),
    step: () => latents,
  }
  const conditioning = { promptEmbeds: { tokens: 0, data: new Float32Array() } }
  return { request: request('r'), parts: {}, conditioning, loras: [], controls: [], run, noiseSchedule: fakeNoiseSchedule, noise: fakeNoiseSource(1), latents, evaluation: 1, end: 2 }
}

await t.test('rows carry their own timestep and tokens; missing tokens are masked, whatever the buffers held before', (t) => {
  const batch = new UnetBatch({ contextSize: 2, latentChannels: 1, takesMask: false, takesStates: true, loraInputs: [] }, (rank) => rank)
  const rows = [
    { state: state(10, Float32Array.of(2, 4)), embeds: { tokens: 1, data: Float32Array.of(1, 2) }, isNegative: false },
    { state: state(7.5, Float32Array.of(6, 8)), embeds: { tokens: 2, data: Float32Array.of(3, 4, 5, 6) }, isNegative: false },
  ]
  batch.fill([...rows].reverse(), 1, 2)
  t.same(batch.fill(rows, 1, 2), {
    sample: { dtype: 'float32', dims: [2, 1, 1, 2], data: Float32Array.of(1, 2, 3, 4) },
    timestep: { dtype: 'float32', dims: [2], data: Float32Array.of(10, 7.5) },
    encoder_hidden_states: { dtype: 'float32', dims: [2, 2, 2], data: Float32Array.of(1, 2, 0, 0, 3, 4, 5, 6) },
    encoder_attention_bias: { dtype: 'float32', dims: [2, 1, 1, 2], data: Float32Array.of(0, -10_000, 0, 0) },
  })
  const alone = batch.fill(rows.slice(0, 1), 1, 2)
  t.same(alone.encoder_attention_bias?.data, Float32Array.of(0), 'alone it needs no mask')
  t.end()
})

await t.test('keys and values lie by head; tokens that a row does not have are zeros, whatever the buffers held before', (t) => {
  const promptProjection = { session: fakeModel('fake:1@1').unet, tensors: [{ name: 'a.keys', heads: 2, width: 1 }, { name: 'a.values', heads: 1, width: 2 }], loraInputs: [] }
  const batch = new UnetBatch({ contextSize: 2, latentChannels: 1, takesMask: false, takesStates: false, promptProjection, loraInputs: [] }, (rank) => rank)
  const rowOf = (tokens: number, ...projected: readonly (readonly number[])[]) => {
    const embeds = { tokens, data: new Float32Array(2 * tokens), projected: projected.map((each) => Float32Array.from(each)) }
    return { state: state(10, Float32Array.of(2, 4)), embeds, isNegative: false }
  }
  const [short, long] = [rowOf(1, [1, 2], [3, 4]), rowOf(2, [5, 6, 7, 8], [9, 10, 11, 12])]
  batch.fill([long, short], 1, 2)
  const feeds = batch.fill([short, long], 1, 2)
  t.same(Object.keys(feeds).sort(), ['a.keys', 'a.values', 'encoder_attention_bias', 'sample', 'timestep'], 'it takes no states')
  t.same(feeds['a.keys'], { dtype: 'float32', dims: [2, 2, 2, 1], data: Float32Array.of(1, 0, 2, 0, 5, 6, 7, 8) })
  t.same(feeds['a.values'], { dtype: 'float32', dims: [2, 1, 2, 2], data: Float32Array.of(3, 4, 0, 0, 9, 10, 11, 12) })
  t.equal(batch.fill([short, long], 1, 2), feeds, 'the same object for the same rows')
  t.same(batch.fill([short], 1, 2)['a.keys'], { dtype: 'float32', dims: [1, 2, 1, 1], data: Float32Array.of(1, 2) })
  t.end()
})
