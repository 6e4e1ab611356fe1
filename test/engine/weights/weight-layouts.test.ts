import { cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { canonicalTensorName } from '../../../engine/weights/component-names.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import { readSafetensors } from '../../../engine/weights/safetensors.ts'
import { singleFileWeights } from '../../../engine/weights/single-file-weights.ts'
import type { SingleFileLayout } from '../../../engine/weights/single-file-weights.ts'
import { TensorSource } from '../../../engine/weights/tensor-source.ts'
import type { WeightSource } from '../../../engine/weights/weight-source.ts'
import { readTensors, writeSafetensors, zeros } from './safetensors-writer.ts'
import type { TensorBytes } from './safetensors-writer.ts'
import { folderTensors, referenceModel, writeSingleFile } from './single-file.ts'

const COMPONENTS = ['unet', 'vae', 'text_encoder'] as const
const DOWN = ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D']
const UP = ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D']
const LAYOUTS: Readonly<Record<string, SingleFileLayout>> = {
  'sd1-tiny': { unet: { downBlockTypes: DOWN, upBlockTypes: UP, layersPerBlock: [2, 2, 2, 2] }, vaeBlocks: 4, textLayers: { text_encoder: 4 } },
  'sd2-tiny': { unet: { downBlockTypes: DOWN, upBlockTypes: UP, layersPerBlock: [1, 1, 1, 1] }, vaeBlocks: 4, textLayers: { text_encoder: 5 } },
}

/** The tensors that a folder of diffusers' holds, by the name a graph asks for, and whether it has to ask for them. */
async function expectedTensors(model: string): Promise<Record<(typeof COMPONENTS)[number], Map<string, TensorBytes>>> {
  const expected = { unet: new Map(), vae: new Map(), text_encoder: new Map() }
  for (const [path, tensor] of Object.entries(await folderTensors(referenceModel(model)))) {
    const [component, name] = [path.slice(0, path.indexOf('/')) as (typeof COMPONENTS)[number], path.slice(path.indexOf('/') + 1)]
    if (!name.endsWith('position_ids')) expected[component].set(canonicalTensorName(component, name), tensor)
  }
  return expected
}

async function sameTensors(t: Test, source: WeightSource, expected: ReadonlyMap<string, TensorBytes>, title: string): Promise<void> {
  const different: string[] = []
  const files = new Map<string, Buffer>()
  for (const [name, { shape, data }] of expected) {
    const { file, offset, byteLength } = source.get(name, shape)
    const bytes = files.get(file) ?? (await readFile(file))
    files.set(file, bytes)
    if (!bytes.subarray(offset, offset + byteLength).equals(data)) different.push(name)
  }
  t.ok(expected.size > 60, `${title}: enough tensors to compare`)
  t.same(different, [], `${title}: all bytes are equal`)
  t.same(source.unused(), [], `${title}: nothing is left`)
}

for (const model of ['sd1-tiny', 'sd2-tiny']) {
  t.test(`a diffusers folder gives its own tensors: ${model}`, async t => {
    const expected = await expectedTensors(model)
    for (const component of COMPONENTS)
      await sameTensors(t, await openFolderWeights(referenceModel(model), component), expected[component], component)
  })

  t.test(`a single file with the original key names gives the tensors of the diffusers folder: ${model}`, async t => {
    const expected = await expectedTensors(model)
    const path = await writeSingleFile(model, join(t.testdir({}), 'model.safetensors'))
    const { components, strangers } = singleFileWeights((await readSafetensors(path)).tensors, LAYOUTS[model] as SingleFileLayout)
    for (const component of COMPONENTS) await sameTensors(t, components[component] as TensorSource, expected[component], component)
    t.same(strangers, [])
  })
}

t.test('a single file may name its text encoder without text_model.', async t => {
  const expected = await expectedTensors('sd1-tiny')
  const path = await writeSingleFile('sd1-tiny', join(t.testdir({}), 'model.safetensors'), tensors => {
    for (const name of Object.keys(tensors).filter(key => key.includes('.text_model.'))) {
      tensors[name.replace('.text_model.', '.')] = tensors[name] as TensorBytes
      delete tensors[name]
    }
  })
  const { components } = singleFileWeights((await readSafetensors(path)).tensors, LAYOUTS['sd1-tiny'] as SingleFileLayout)
  await sameTensors(t, components.text_encoder as TensorSource, expected.text_encoder, 'text encoder')
})

t.test("a single file's tensors that belong nowhere are reported by the name the file gives them", async t => {
  const path = await writeSingleFile('sd2-tiny', join(t.testdir({}), 'model.safetensors'), tensors => {
    for (const name of [
      'stranger.weight',
      'model.diffusion_model.input_blocks.99.0.in_layers.0.weight',
      'model.diffusion_model.input_blocks.1.0.in_layers.7.weight',
      'first_stage_model.decoder.up.9.block.0.norm1.weight',
      'cond_stage_model.model.transformer.resblocks.9.ln_1.weight',
      'first_stage_model.surprise',
    ])
      tensors[name] = zeros(2)
  })
  const { components, strangers } = singleFileWeights((await readSafetensors(path)).tensors, LAYOUTS['sd2-tiny'] as SingleFileLayout)
  t.same(strangers, ['stranger.weight'])
  const expected = await expectedTensors('sd2-tiny')
  for (const component of COMPONENTS) for (const [name, { shape }] of expected[component]) components[component]?.get(name, shape)
  t.same(components.unet.unused(), [
    'model.diffusion_model.input_blocks.99.0.in_layers.0.weight',
    'model.diffusion_model.input_blocks.1.0.in_layers.7.weight',
  ])
  t.same([...components.vae.unused()].sort(), ['first_stage_model.decoder.up.9.block.0.norm1.weight', 'first_stage_model.surprise'])
  t.same(components.text_encoder?.unused(), ['cond_stage_model.model.transformer.resblocks.9.ln_1.weight'])
})

t.test("a single file without one of the components is refused by the component's name", async t => {
  for (const [prefix, label] of [
    ['first_stage_model.', 'vae'],
    ['cond_stage_model.', 'text encoder'],
    ['model.diffusion_model.', 'unet'],
  ] as const) {
    const path = await writeSingleFile('sd1-tiny', join(t.testdir({}), 'model.safetensors'), tensors => {
      for (const name of Object.keys(tensors).filter(key => key.startsWith(prefix))) delete tensors[name]
    })
    const { tensors } = await readSafetensors(path)
    t.throws(() => singleFileWeights(tensors, LAYOUTS['sd1-tiny'] as SingleFileLayout), {
      name: 'WeightError',
      message: new RegExp(`has no ${label}`),
    })
  }
})

t.test('a tensor that is there twice under two spellings is refused', async t => {
  const path = await writeSingleFile('sd1-tiny', join(t.testdir({}), 'model.safetensors'), tensors => {
    tensors['cond_stage_model.transformer.final_layer_norm.weight'] = zeros(32)
  })
  const { tensors } = await readSafetensors(path)
  t.throws(() => singleFileWeights(tensors, LAYOUTS['sd1-tiny'] as SingleFileLayout), {
    message: /text_model.final_layer_norm.weight twice/,
  })
})

/** A copy of a small model whose text encoder is rewritten by the test. */
async function copyOf(folder: string, model: string): Promise<string> {
  const copy = join(folder, 'model')
  await cp(referenceModel(model), copy, { recursive: true })
  return copy
}

t.test('text encoders are read with and without text_model., VAE attention under its old and its new names', async t => {
  const expected = await expectedTensors('sd1-tiny')
  const folder = await copyOf(t.testdir({}), 'sd1-tiny')
  const text = await readTensors(join(folder, 'text_encoder', 'model.safetensors'))
  const bare = Object.fromEntries(Object.entries(text).map(([name, tensor]) => [name.replace(/^text_model\./, ''), tensor]))
  const prefixed = Object.fromEntries(Object.entries(bare).map(([name, tensor]) => [`text_model.${name}`, tensor]))
  for (const tensors of [bare, prefixed]) {
    await writeSafetensors(join(folder, 'text_encoder', 'model.safetensors'), tensors)
    await sameTensors(t, await openFolderWeights(folder, 'text_encoder'), expected.text_encoder, 'text encoder')
  }
  const names = [
    ['to_q', 'query'],
    ['to_k', 'key'],
    ['to_v', 'value'],
    ['to_out.0', 'proj_attn'],
  ] as const
  const stored = await readTensors(join(folder, 'vae', 'diffusion_pytorch_model.safetensors'))
  const renamed = (from: 0 | 1, to: 0 | 1): Record<string, TensorBytes> =>
    Object.fromEntries(
      Object.entries(stored).map(([name, tensor]) => [
        names.reduce((current, pair) => current.replace(`.attentions.0.${pair[from]}.`, `.attentions.0.${pair[to]}.`), name),
        tensor,
      ]),
    )
  for (const tensors of [renamed(0, 1), renamed(1, 0)]) {
    await writeSafetensors(join(folder, 'vae', 'diffusion_pytorch_model.safetensors'), tensors)
    await sameTensors(t, await openFolderWeights(folder, 'vae'), expected.vae, 'vae')
  }
})

t.test('names may be asked for in any spelling', async t => {
  const source = await openFolderWeights(referenceModel('sd1-tiny'), 'text_encoder')
  t.same(source.get('final_layer_norm.weight'), source.get('text_model.final_layer_norm.weight'))
  t.ok(source.has('final_layer_norm.bias') && source.has('text_model.final_layer_norm.bias'))
  t.notOk(source.has('final_layer_norm'))
})

t.test('every place and spelling of the files is found: plain, variants, shards', async t => {
  const stored = await readTensors(join(referenceModel('sd1-tiny'), 'unet', 'diffusion_pytorch_model.safetensors'))
  const names = Object.keys(stored)
  const halves = [names.slice(0, 100), names.slice(100)].map(part =>
    Object.fromEntries(part.map(name => [name, stored[name] as TensorBytes])),
  )
  const expected = (await expectedTensors('sd1-tiny')).unet
  const stem = 'diffusion_pytorch_model'
  for (const variant of ['fp16', 'bf16']) {
    const folder = t.testdir({ unet: {} })
    await writeSafetensors(join(folder, 'unet', `${stem}.${variant}.safetensors`), stored)
    await sameTensors(t, await openFolderWeights(folder, 'unet'), expected, variant)
  }
  for (const index of [
    '.safetensors.index.json',
    '.safetensors.index.fp16.json',
    '.fp16.safetensors.index.json',
    '.safetensors.fp16.index.json',
  ]) {
    const folder = t.testdir({ unet: {} })
    const files = ['one', 'two'].map(part => `${stem}-${part}.safetensors`)
    for (const [at, file] of files.entries()) await writeSafetensors(join(folder, 'unet', file), halves[at] as Record<string, TensorBytes>)
    const weightMap = Object.fromEntries(halves.flatMap((half, at) => Object.keys(half).map(name => [name, files[at]])))
    await writeFile(join(folder, 'unet', stem + index), JSON.stringify({ metadata: {}, weight_map: weightMap }))
    await sameTensors(t, await openFolderWeights(folder, 'unet'), expected, index)
  }
})

t.test('full-precision files are taken before their variants', async t => {
  const folder = t.testdir({ vae: {} })
  for (const variant of ['', '.fp16'])
    await writeSafetensors(join(folder, 'vae', `diffusion_pytorch_model${variant}.safetensors`), { a: zeros(2) })
  t.match((await openFolderWeights(folder, 'vae')).get('a').file, /model\.safetensors$/)
})

/** A unet folder with two shards, `a` in the first and `b` in the second, and an index. */
async function sharded(folder: string, weightMap: unknown): Promise<string> {
  await mkdir(join(folder, 'unet'), { recursive: true })
  await writeSafetensors(join(folder, 'outside.safetensors'), { a: zeros(2) })
  await writeSafetensors(join(folder, 'unet', 's1.safetensors'), { a: zeros(2) })
  await writeSafetensors(join(folder, 'unet', 's2.safetensors'), { b: zeros(2) })
  await writeFile(join(folder, 'unet', 'diffusion_pytorch_model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }))
  return folder
}

t.test('an index that leads elsewhere or does not match its shards is refused', async t => {
  const open = async (map: unknown): Promise<unknown> => openFolderWeights(await sharded(t.testdir({}), map), 'unet')
  for (const path of [
    '../outside.safetensors',
    '/etc/passwd',
    'sub/s1.safetensors',
    '..\\outside.safetensors',
    's1.bin',
    '.safetensors',
    's1.safetensors\0',
  ]) {
    await t.rejects(open({ a: path }), { name: 'WeightError', message: /not a shard beside it/ }, path)
  }
  await t.rejects(open({ a: 's1.safetensors', b: 's3.safetensors' }), { message: /s3.safetensors cannot be found/ })
  await t.rejects(open({ a: 's1.safetensors', c: 's1.safetensors' }), { message: /names the tensor c/ })
  await t.rejects(open({ a: 's2.safetensors', b: 's1.safetensors' }), { message: /does not name the tensor b|does not name the tensor a/ })
  await t.rejects(open({ a: 's1.safetensors', b: 1 }), { message: /no file for the tensor b/ })
  await t.rejects(open([]), { message: /no weight_map/ })
  const fine = (await open({ a: 's1.safetensors', b: 's2.safetensors' })) as TensorSource
  t.ok(fine.has('a') && fine.has('b'))
})

t.test("a link that leaves the model's folder is refused, one that stays is followed", async t => {
  const folder = t.testdir({ outside: {}, model: { unet: {}, vae: {}, blobs: {} } })
  await writeSafetensors(join(folder, 'outside', 'x.safetensors'), { a: zeros(2) })
  await writeSafetensors(join(folder, 'model', 'blobs', 'x.safetensors'), { a: zeros(2) })
  await symlink(join('..', '..', 'outside', 'x.safetensors'), join(folder, 'model', 'unet', 'diffusion_pytorch_model.safetensors'))
  await symlink(join('..', 'blobs', 'x.safetensors'), join(folder, 'model', 'vae', 'diffusion_pytorch_model.safetensors'))
  await t.rejects(openFolderWeights(join(folder, 'model'), 'unet'), { name: 'WeightError', message: /link that leaves the model's folder/ })
  const inside = await openFolderWeights(join(folder, 'model'), 'vae')
  t.match(inside.get('a').file, /blobs/)
})

t.test('a component with pickle files only, or none at all, is refused with what to do', async t => {
  const folder = t.testdir({ unet: { 'diffusion_pytorch_model.bin': 'x' }, vae: { 'config.json': '{}' } })
  await t.rejects(openFolderWeights(folder, 'unet'), { message: /pickle files only.*use diffusion_pytorch_model\.safetensors/ })
  await t.rejects(openFolderWeights(folder, 'vae'), { message: /vae has no weights/ })
  await t.rejects(openFolderWeights(folder, 'text_encoder'), { message: /text_encoder cannot be read/ })
  await rename(join(folder, 'unet', 'diffusion_pytorch_model.bin'), join(folder, 'unet', 'diffusion_pytorch_model.safetensors'))
  await t.rejects(openFolderWeights(folder, 'unet'), { message: /too short/ })
})

t.test('a missing tensor, another shape and an unusable element type are errors that name the tensor', async t => {
  const path = await writeSafetensors(join(t.testdir({}), 'a.safetensors'), {
    'layer.weight': zeros(2, 3),
    wide: { dtype: 'F64', shape: [1], data: new Uint8Array(8) },
  })
  const { tensors } = await readSafetensors(path)
  const source = new TensorSource({
    label: 'unet',
    tensors: new Map([...tensors].map(([name, tensor]) => [name, { original: name, tensor }])),
    isIgnorable: name => name === 'wide',
  })
  t.throws(() => source.get('layer.bias'), { name: 'WeightError', message: 'the unet lacks the tensor layer.bias' })
  t.throws(() => source.get('layer.weight', [3, 2]), { message: "the unet's tensor layer.weight has the shape [2, 3], not [3, 2]" })
  t.throws(() => source.get('wide'), { message: /wide is stored as F64/ })
})

t.test('what was not asked for is unused, unless it is known to be ignorable', async t => {
  const folder = await copyOf(t.testdir({}), 'sd1-tiny')
  const path = join(folder, 'text_encoder', 'model.safetensors')
  await writeSafetensors(path, {
    ...(await readTensors(path)),
    'text_model.surprise.weight': zeros(2),
    'text_projection.weight': zeros(2),
    logit_scale: zeros(),
  })
  const source = await openFolderWeights(folder, 'text_encoder')
  const { text_encoder: expected } = await expectedTensors('sd1-tiny')
  for (const name of expected.keys()) if (name !== 'text_model.final_layer_norm.bias') source.get(name)
  t.same([...source.unused()].sort(), ['text_model.final_layer_norm.bias', 'text_model.surprise.weight'])
})
