import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import type { LoadedModel } from '../../../engine/models/loaded-model.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import type { ModelRegistry } from '../../../engine/models/model-spec.ts'
import { fakeRuntime } from '../../../engine/runtime/fake-runtime.ts'
import type { Device, ModelSession, Runtime } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { textFeeds } from '../architectures/reference-tensors.ts'
import { loraPair, writeSafetensors } from '../weights/safetensors-writer.ts'
import { folderTensors, referenceModel, writeSingleFile } from '../weights/single-file.ts'

/** Opens graphs without computing anything and remembers which are open. */
class FakeRuntime implements Runtime {
  readonly device: Device
  readonly sessions: ModelSession[] = []
  opened = 0
  failing: string | undefined

  constructor(device: Device = { type: 'cpu' }) {
    this.device = device
  }

  async open(graph: ModelGraph): Promise<ModelSession> {
    this.opened++
    if (graph.name === this.failing) throw new Error('Load model from /secret-place/model.onnx failed')
    const session: ModelSession = {
      name: graph.name,
      inputs: graph.inputs,
      outputs: graph.outputs,
      run: async () => {
        throw new Error('this runtime computes nothing')
      },
      release: async () => {
        this.sessions.splice(this.sessions.indexOf(session), 1)
      },
    }
    this.sessions.push(session)
    return session
  }
}

/** A registry of models with equal weights: `local:a@1`, `local:b@1`, … */
async function registryOf(t: Test, ...names: readonly string[]): Promise<ModelRegistry> {
  const folder = t.testdir({})
  for (const name of names) await cp(referenceModel('sd1-tiny'), join(folder, name), { recursive: true })
  return openRegistry([folder])
}

/** Bytes that one of these models holds. */
async function sizeOf(registry: ModelRegistry): Promise<number> {
  const loader = createModelLoader({ registry, runtime: new FakeRuntime(), weightsBudgetBytes: 1e9 })
  return (await loader.load('local:a@1')).byteLength
}

t.test('a model is opened once, however often and however differently spelt it is asked for', async t => {
  const runtime = new FakeRuntime()
  const loader = createModelLoader({ registry: await registryOf(t, 'a'), runtime, weightsBudgetBytes: 1e9 })
  const models = await Promise.all([loader.load('local:a@1'), loader.load('LOCAL:A@1'), loader.load('local:a@1')])
  t.equal(new Set(models).size, 1)
  t.equal(runtime.opened, 4, 'the VAE\'s encoder is opened by its first run')
  t.same(loader.loaded(), ['local:a@1'])
  t.match(models[0], {
    contextSize: 32,
    latentChannels: 4,
    latentFactor: 8,
    noiseSchedule: { className: 'PNDMScheduler' },
    textEncoders: [{ width: 32, tokenizer: { padToken: '<|endoftext|>' } }],
  })
  t.same(
    [models[0]?.textEncoders[0]?.session, models[0]?.unet, models[0]?.promptProjection?.session, models[0]?.vae.decoder].map(session => session?.name),
    runtime.sessions.map(({ name }) => name),
  )
})

t.test('the encoder of a VAE is opened by its first run, once, and leaves with the model', async t => {
  const runtime = new FakeRuntime()
  const loader = createModelLoader({ registry: await registryOf(t, 'a'), runtime, weightsBudgetBytes: 1e9 })
  const { vae: { encoder } } = await loader.load('local:a@1')
  t.same([encoder.name, encoder.inputs.map(({ name }) => name), encoder.outputs.map(({ name }) => name)], ['vae_encoder', ['pixels'], ['mean', 'deviation']])
  const opened = (): number => runtime.sessions.filter(({ name }) => name === 'vae_encoder').length
  t.equal(opened(), 0)
  runtime.failing = 'vae_encoder'
  const error = (await encoder.run({}).catch((cause: unknown) => cause)) as Error
  t.match(error, { name: 'ModelError', message: 'the runtime could not open its graph vae_encoder' })
  runtime.failing = undefined
  for (const run of [encoder.run({}), encoder.run({})]) await t.rejects(run, { message: 'this runtime computes nothing' })
  t.equal(opened(), 1)
  const last = encoder.run({}).catch(() => undefined)
  await loader.release()
  await last
  t.equal(opened(), 0)
  await t.rejects(encoder.run({}), { name: 'RuntimeError', message: 'vae_encoder was released' })

  const cuda = new FakeRuntime({ type: 'cuda', index: 0 })
  await createModelLoader({ registry: await registryOf(t, 'a'), runtime: cuda, weightsBudgetBytes: 1e9 }).load('local:a@1')
  t.ok(cuda.sessions.some(({ name }) => name === 'vae_encoder'), 'on CUDA it is open from the start')
})

t.test('the budget counts the weights that are used, as the device holds them: four bytes each, two in a UNet on CUDA', async t => {
  for (const model of ['sd1-tiny', 'sd2-tiny']) {
    const loader = createModelLoader({
      registry: await openRegistry([referenceModel(model)]),
      runtime: new FakeRuntime(),
      weightsBudgetBytes: 1e9,
    })
    const used = Object.entries(await folderTensors(referenceModel(model))).filter(([name]) => !name.includes('position_ids'))
    const count = (tensors: typeof used): number =>
      tensors.reduce((sum, [, { shape }]) => sum + shape.reduce((product, dim) => product * dim, 1), 0)
    t.equal((await loader.load(`local:${model}@1`)).byteLength, 4 * count(used), model)
    const halved = count(used.filter(([name]) => name.startsWith('unet/')))
    const cuda = createModelLoader({
      registry: await openRegistry([referenceModel(model)]),
      runtime: fakeRuntime({ device: { type: 'cuda', index: 0 } }),
      weightsBudgetBytes: 1e9,
    })
    const onCuda = await cuda.load(`local:${model}@1`)
    t.equal(onCuda.byteLength, 4 * count(used) - 2 * halved, `${model} on CUDA`)
    t.same([onCuda.promptProjection, onCuda.takesStates], [undefined, true], 'where inputs are copied in every run, the UNet makes keys and values itself')
  }
})

t.test('the least recently used model gives way, never one that is held', async t => {
  const registry = await registryOf(t, 'a', 'b', 'c', 'd')
  const runtime = new FakeRuntime()
  const loader = createModelLoader({ registry, runtime, weightsBudgetBytes: 2.5 * (await sizeOf(registry)) })
  await loader.load('local:a@1')
  await loader.load('local:b@1')
  await loader.load('local:a@1')
  await loader.load('local:c@1')
  t.same(loader.loaded(), ['local:a@1', 'local:c@1'], 'b was not used for the longest time')
  t.equal(runtime.sessions.length, 8)
  const release = loader.hold('LOCAL:A@1')
  await loader.load('local:d@1')
  t.same(loader.loaded(), ['local:a@1', 'local:d@1'], 'a is older than c and is held')
  release()
  release()
  await loader.load('local:b@1')
  t.same(loader.loaded(), ['local:d@1', 'local:b@1'], 'a was let go')
  const opened = runtime.opened
  await loader.load('local:a@1')
  t.equal(runtime.opened, opened + 4, 'a released model is opened again')
})

t.test('a hold counts as often as it was taken', async t => {
  const registry = await registryOf(t, 'a', 'b')
  const loader = createModelLoader({ registry, runtime: new FakeRuntime(), weightsBudgetBytes: 1.5 * (await sizeOf(registry)) })
  await loader.load('local:a@1')
  const [first, second] = [loader.hold('local:a@1'), loader.hold('local:a@1')]
  first()
  first()
  let isLoaded = false
  const waiting = loader.load('local:b@1').then(() => {
    isLoaded = true
  })
  await new Promise(resolve => setImmediate(resolve))
  t.same([isLoaded, loader.loaded()], [false, ['local:a@1']], 'all open models are in use, so the load waits')
  second()
  await waiting
  t.same(loader.loaded(), ['local:b@1'])
})

t.test('a model larger than the whole budget is refused with both sizes', async t => {
  const loader = createModelLoader({ registry: await registryOf(t, 'a'), runtime: new FakeRuntime(), weightsBudgetBytes: 1e6 })
  await t.rejects(loader.load('local:a@1'), { name: 'ModelError', message: /local:a@1 takes 0\.00 GB of weights, more than the 0\.00 GB/ })
})

t.test('a failed load is not remembered, and leaves nothing open', async t => {
  const runtime = new FakeRuntime()
  const loader = createModelLoader({ registry: await registryOf(t, 'a'), runtime, weightsBudgetBytes: 1e9 })
  runtime.failing = 'vae_decoder'
  const names: string[] = []
  for (const attempt of [1, 2]) {
    const error = (await loader.load('local:a@1').catch((cause: unknown) => cause)) as Error
    t.match(
      error,
      { name: 'ModelError', message: /^the model local:a@1 cannot be loaded: the runtime could not open its graph / },
      `attempt ${attempt}`,
    )
    t.notMatch(error.message, /secret-place/)
    names.push(error.name)
  }
  t.equal(runtime.sessions.length, 0)
  runtime.failing = undefined
  t.equal((await loader.load('local:a@1')).spec.air, 'local:a@1')
})

t.test('what cannot be loaded is refused with the reason', async t => {
  const folder = t.testdir({ bad: { 'model_index.json': '{}' } })
  await writeSafetensors(join(folder, 'style.safetensors'), loraPair('lora_unet_x'))
  await cp(referenceModel('sd1-tiny'), join(folder, 'gone'), { recursive: true })
  const registry = await openRegistry([folder])
  const loader = createModelLoader({ registry, runtime: new FakeRuntime(), weightsBudgetBytes: 1e9 })
  await rm(join(folder, 'gone', 'unet', 'diffusion_pytorch_model.safetensors'))
  for (const [air, reason] of [
    ['local:nobody@1', /there is no model "local:nobody@1"/],
    ['local:bad@1', /the model local:bad@1 cannot be used: .*no unet folder/],
    ['local:style@1', /is a lora, not a checkpoint/],
    ['local:gone@1', /local:gone@1 cannot be loaded: unet has no weights/],
  ] as const)
    await t.rejects(loader.load(air), { name: 'ModelError', message: reason })
})

t.test('releasing closes everything, ends what waits, and gives nothing out any more', async t => {
  const registry = await registryOf(t, 'a', 'b', 'c')
  const runtime = new FakeRuntime()
  const loader = createModelLoader({ registry, runtime, weightsBudgetBytes: 1.5 * (await sizeOf(registry)) })
  await loader.load('local:a@1')
  loader.hold('local:a@1')
  const waiting = [loader.load('local:b@1'), loader.load('local:c@1')].map(load => load.catch((error: unknown) => error))
  await new Promise(resolve => setImmediate(resolve))
  await loader.release()
  await loader.release()
  for (const error of await Promise.all(waiting)) t.match(error, { name: 'ModelError', message: /stopping/ })
  t.same([runtime.sessions.length, loader.loaded().length], [0, 0])
  await t.rejects(loader.load('local:a@1'), { message: /stopping/ })
})

t.test('a refiner is open beside its checkpoint, or is refused where both do not fit', async t => {
  const registry = await openRegistry([referenceModel('sdxl-tiny'), referenceModel('sdxl-refiner-tiny')])
  const [base, refiner] = ['local:sdxl-tiny@1', 'local:sdxl-refiner-tiny@1'] as const
  const within = async (weightsBudgetBytes: number) => {
    const loader = createModelLoader({ registry, runtime: new FakeRuntime(), weightsBudgetBytes })
    const release = loader.hold(base)
    return { loader, release, model: await loader.load(base) }
  }
  const roomy = await within(1e9)
  const { part, release } = await roomy.loader.usePart('checkpoint', refiner, roomy.model)
  t.match(part, { spec: { air: refiner, family: 'sdxlRefiner' }, added: { timeIds: 'sizesAndScore' }, textEncoders: [{ width: 16 }] })
  t.equal(await roomy.loader.load(refiner), part, 'it is the same model whether it refines or is asked for itself')
  release()

  const both = roomy.model.byteLength + part.byteLength
  const tight = await within(both - 1)
  await t.rejects(tight.loader.usePart('checkpoint', refiner, tight.model), {
    name: 'ModelError', message: /local:sdxl-refiner-tiny@1 takes .* beside the .* it is used with, more than the .*; raise the weights budget/,
  })
  t.same(tight.loader.loaded(), [base])
  tight.release()
  t.equal((await tight.loader.load(refiner)).spec.air, refiner, 'alone it fits')

  const exact = await within(both)
  const held = await exact.loader.usePart('checkpoint', refiner, exact.model)
  t.same(exact.loader.loaded(), [base, refiner])
  held.release()
})

t.test('IP-Adapters that share an image encoder have it open once, and it leaves when nobody holds it', async t => {
  const reference = join(referenceModel('sd1-tiny'), '..', '..')
  const registry = await openRegistry([referenceModel('sd1-tiny'), join(reference, 'ip-adapters')])
  t.same(registry.broken, [])
  const runtime = new FakeRuntime()
  const loader = createModelLoader({ registry, runtime, weightsBudgetBytes: 1e9 })
  const base = await loader.load('local:sd1-tiny@1')
  const before = runtime.sessions.length
  const [plain, plus] = await Promise.all(['local:sd1-plain@1', 'local:sd1-plus@1'].map(air => loader.useImageEncoder(air, base)))
  t.equal(plain?.part, plus?.part)
  t.equal(runtime.sessions.length, before + 1)
  t.same(loader.loaded().filter(air => air.includes('image encoder')), [plain?.part.air])
  for (const air of ['local:sd1-plain@1', 'local:sd1-plus@1']) await loader.usePart('ipAdapter', air, base)
  t.equal(runtime.sessions.length, before + 3)
  await t.rejects(loader.useImageEncoder('local:none@1', base), { message: /there is no model/ })
  await loader.release()
  t.equal(runtime.sessions.length, 0)
})

/** Every output of a model's networks for one fixed input, by name. */
async function outputsOf({ textEncoders, unet, promptProjection, vae, contextSize, added }: LoadedModel): Promise<Record<string, Tensor>> {
  const wave = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => Math.sin(index * 0.7))
  const texts: Record<string, Tensor> = {}
  for (const [encoder, { session }] of textEncoders.entries()) {
    const ids = { dtype: 'int64', dims: [1, 77], data: BigInt64Array.from({ length: 77 }, (_, index) => BigInt(index % 50)) } as const
    const outputs = await session.run(textFeeds(ids, session.inputs))
    for (const [name, tensor] of Object.entries(outputs)) texts[`${encoder} ${name}`] = tensor
  }
  const sizes = added?.timeIds === 'sizes' ? 6 : 5
  const states = { encoder_hidden_states: { dtype: 'float32', dims: [1, 77, contextSize], data: wave(77 * contextSize) } } as const
  const predicted = await unet.run({
    ...await promptProjection?.session.run(states),
    sample: { dtype: 'float32', dims: [1, 4, 8, 8], data: wave(256) },
    timestep: { dtype: 'float32', dims: [1], data: Float32Array.of(500) },
    encoder_attention_bias: { dtype: 'float32', dims: [1, 1, 1, 77], data: new Float32Array(77) },
    ...(added && {
      text_embeds: { dtype: 'float32', dims: [1, added.textEmbedsSize], data: wave(added.textEmbedsSize) } as const,
      time_ids: { dtype: 'float32', dims: [1, sizes], data: wave(sizes) } as const,
    }),
  })
  const picture = await vae.decoder.run({ latents: { dtype: 'float32', dims: [1, 4, 8, 8], data: wave(256) } })
  return { ...texts, ...predicted, ...picture }
}

for (const model of ['sd1-tiny', 'sd2-tiny', 'sdxl-tiny', 'sdxl-refiner-tiny']) {
  t.test(`a single file computes exactly what its diffusers folder computes: ${model}`, async t => {
    const folder = t.testdir({})
    const file = await writeSingleFile(model, join(folder, 'single.safetensors'))
    const spec = (await openRegistry([referenceModel(model)])).models[0]
    if (!spec) throw new Error('the reference model is not usable')
    const registry: ModelRegistry = {
      models: [],
      broken: [],
      find: air => (air === spec.air ? spec : { ...spec, air, path: file, configPath: spec.path }),
    }
    const loader = createModelLoader({ registry, runtime: await openRuntime({ type: 'cpu' }, { threads: 1 }), weightsBudgetBytes: 1e9 })
    const [whole, single] = [await loader.load(spec.air), await loader.load('local:single@1')]
    const [left, right] = [await outputsOf(whole), await outputsOf(single)]
    t.ok(Object.keys(left).includes('out_sample') && Object.keys(left).includes('image') && Object.keys(left).includes('0 hidden_states_0'))
    t.same(Object.keys(left), Object.keys(right))
    for (const [name, { data }] of Object.entries(left)) {
      t.ok(Buffer.from((data as Float32Array).buffer).equals(Buffer.from((right[name]?.data as Float32Array).buffer)), name)
      // The check is one number a row.
      if (name !== 'image_check') t.ok(new Set(Array.from(data as Float32Array)).size > 10, `${name} is not flat`)
    }
    await loader.release()
  })
}
