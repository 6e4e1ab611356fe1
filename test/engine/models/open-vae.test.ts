import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { parseVaeConfig } from '../../../engine/architectures/vae-config.ts'
import { parseJsonObject } from '../../../engine/models/json-file.ts'
import type { JsonObject } from '../../../engine/models/json-file.ts'
import type { LoadedModel } from '../../../engine/models/loaded-model.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { openVae } from '../../../engine/models/open-vae.ts'
import { readPackageAsset } from '../../../engine/models/package-asset.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { vaeModel } from '../../../engine/models/vae-model.ts'
import { fakeRuntime } from '../../../engine/runtime/fake-runtime.ts'
import { readTensors, writeSafetensors, zeros } from '../weights/safetensors-writer.ts'
import { referenceModel } from '../weights/single-file.ts'
import { fullSizeKeys, writeSparseCheckpoint } from './checkpoint-file.ts'
import type { Shapes } from './checkpoint-file.ts'

/** The VAE of a published checkpoint as a file, its names changed by `rename`. */
async function publishedVae(t: Test, rename: (name: string) => string, extra: Shapes = {}): Promise<string> {
  const keys = Object.entries(await fullSizeKeys('sd1')).filter(([name]) => name.startsWith('first_stage_model.'))
  return writeSparseCheckpoint(join(t.testdir({}), 'vae.safetensors'), { ...Object.fromEntries(keys.map(([name, shape]) => [rename(name), shape])), ...extra })
}

function specOf(path: string) {
  return { air: 'local:vae@1', type: 'vae', name: 'vae', path, defaults: {} } as const
}

t.test('a published VAE describes itself by its tensors, cut out of a checkpoint or named by itself, loss network or not', async t => {
  const family = parseJsonObject((await readPackageAsset('engine/models/families/sd1.json')).toString(), 'sd1.json')
  const expected = parseVaeConfig(family['vae'] as JsonObject)
  const loss = { 'loss.discriminator.main.0.weight': [64, 3, 4, 4], 'loss.logvar': [] }
  for (const [rename, extra] of [
    [(name: string) => name, {}],
    [(name: string) => name.slice('first_stage_model.'.length), loss],
  ] as const) {
    const path = await publishedVae(t, rename, extra)
    t.same(parseVaeConfig((await openVae(path)).config), expected)
    const { graphs } = await vaeModel(specOf(path), undefined, 'cpu')
    t.same(graphs.map(({ name }) => name), ['vae_encoder', 'vae_decoder'])
    const { models } = await openRegistry([path])
    t.match(models, [{ air: 'local:vae@1', type: 'vae' }])
  }
})

t.test('a tensor that no VAE has is an error that names it', async t => {
  await t.rejects(vaeModel(specOf(await publishedVae(t, name => name, { 'temporal.weight': [4] })), undefined, 'cpu'), { message: /temporal\.weight/ })
})

t.test('a folder that is no VAE of a kind that is known is broken, with the kind in the reason', async t => {
  const folder = t.testdir({ tiny: { 'config.json': '{"_class_name":"AutoencoderTiny"}' } })
  await t.rejects(openVae(join(folder, 'tiny')), { message: /AutoencoderTiny/ })
})

t.test('a file takes the scaling of the checkpoint it is used with; a folder has its own', async t => {
  const file = await publishedVae(t, name => name)
  const folder = dirname(file)
  await cp(join(referenceModel('mixed-tiny'), 'vae'), join(folder, 'own'), { recursive: true })
  const base = (scalingFactor: number): Pick<LoadedModel, 'vae'> => ({ vae: { scalingFactor, shiftFactor: 0.25 } as LoadedModel['vae'] })
  const runtime = fakeRuntime()
  const scaled = async (path: string, scalingFactor: number) => {
    const { graphs, assemble } = await vaeModel(specOf(path), base(scalingFactor), 'cpu')
    const vae = assemble(await Promise.all(graphs.map(graph => runtime.open(graph))))
    return [vae.scalingFactor, vae.shiftFactor]
  }
  t.same(await scaled(file, 0.13025), [0.13025, 0.25])
  t.same(await scaled(join(folder, 'own'), 0.13025), [0.9, 0.1])
})

t.test('a part is opened once and stays while it is held; it must fit beside what its user holds', async t => {
  const folder = t.testdir({})
  await cp(referenceModel('sd1-tiny'), join(folder, 'a'), { recursive: true })
  for (const name of ['own', 'other']) await cp(join(referenceModel('sd1-tiny'), 'vae'), join(folder, name), { recursive: true })
  const registry = await openRegistry([folder])
  const loaderOf = (weightsBudgetBytes: number) => createModelLoader({ registry, runtime: fakeRuntime(), weightsBudgetBytes })
  const probe = loaderOf(1e9)
  const { byteLength } = await probe.load('local:a@1')

  const loader = loaderOf(byteLength * 1.5)
  const letGo = loader.hold('local:a@1')
  const model = await loader.load('local:a@1')
  const [first, second] = await Promise.all([loader.usePart('vae', 'local:own@1', model), loader.usePart('vae', 'LOCAL:OWN@1', model)])
  t.equal(first.part, second.part)
  t.same(loader.loaded(), ['local:a@1', 'local:own@1'])
  first.release()
  await t.rejects(loader.usePart('vae', 'local:a@1', model), { name: 'ModelError', message: /is a checkpoint, not a vae/ })
  second.release()
  letGo()
  await loader.release()
  t.same(loader.loaded(), [])

  const small = loaderOf(byteLength * 1.01)
  small.hold('local:a@1')
  const alone = await small.load('local:a@1')
  await t.rejects(small.usePart('vae', 'local:own@1', alone), { name: 'ModelError', message: /local:own@1 takes .* beside the .* it is used with, .* raise the weights budget/ })
})

t.test('a damaged part is broken in the registry', async t => {
  const folder = t.testdir({})
  await cp(join(referenceModel('sd1-tiny'), 'vae'), join(folder, 'bad'), { recursive: true })
  const path = join(folder, 'bad', 'diffusion_pytorch_model.safetensors')
  await writeSafetensors(path, { ...(await readTensors(path)), 'decoder.extra.weight': zeros(2) })
  t.match((await openRegistry([folder])).broken, [{ air: 'local:bad@1', reason: /decoder\.extra\.weight/ }])
})
