import { cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Test } from 'tap'
import { fixedRegistry, openRegistry as openServedRegistry } from '../../../engine/index.ts'
import { derivedAir, isAir } from '../../../engine/models/air.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { loraPair, rawSafetensors, readTensors, writeSafetensors, zeros } from '../weights/safetensors-writer.ts'
import { fullSizeKeys, writeSparseCheckpoint } from './checkpoint-file.ts'
import { referenceModel, writeSingleFile } from '../weights/single-file.ts'

/** A models folder with a `models.json` of these entries, and the small SD 1.x model in `sd`. */
async function modelsFolder(t: Test, entries: readonly unknown[]): Promise<string> {
  const folder = join(t.testdir({ models: {} }), 'models')
  await cp(referenceModel('sd1-tiny'), join(folder, 'sd'), { recursive: true })
  await writeFile(join(folder, 'models.json'), JSON.stringify({ models: entries }))
  return folder
}

const entry = (change: object = {}): object => ({ air: 'local:sd@1', type: 'checkpoint', path: 'sd', ...change })

t.test('models.json says what a folder offers', async t => {
  const folder = await modelsFolder(t, [entry({ name: 'Small', defaults: { steps: 8, CFGScale: 4, scheduler: 'Euler', width: 64 } })])
  const registry = await openRegistry([folder])
  t.same(registry.broken, [])
  t.match(registry.models, [
    {
      air: 'local:sd@1',
      type: 'checkpoint',
      name: 'Small',
      family: 'sd1',
      path: join(folder, 'sd'),
      defaults: { steps: 8, CFGScale: 4, scheduler: 'Euler', width: 64, height: 128 },
    },
  ])
  t.equal(registry.find('LOCAL:SD@1'), registry.models[0], 'the spelling of an identifier does not matter')
  t.equal(registry.find('local:sd@2'), undefined)
})

t.test('a default noise scheduler that nobody knows makes a model broken, not each of its tasks', async t => {
  const folder = await modelsFolder(t, [entry({ air: 'local:good@1', defaults: { scheduler: 'dpm++ 2m karras' } }), entry({ defaults: { scheduler: 'Oiler' } })])
  const registry = await openServedRegistry([folder])
  t.same(registry.models.map(({ air }) => air), ['local:good@1'])
  t.match(registry.broken, [{ air: 'local:sd@1', reason: 'its default "scheduler" "Oiler" is no noise scheduler\'s name' }])
})

t.test('an entry that does not follow the schema is reported by its identifier, and the others work', async t => {
  const bad: readonly (readonly [object, RegExp])[] = [
    [{ air: 'local:a@1', type: 'checkpoints' }, /"type" must be equal to one of the allowed values \(checkpoint, lora/],
    [{ air: 'local:b@1', defaults: { steps: 0 } }, /"defaults.steps" must be >= 1/],
    [{ air: 'local:c@1', defaults: { size: 4 } }, /defaults: unknown key "size"/],
    [{ air: 'local:d@1', colour: 'red' }, /unknown key "colour"/],
    [{ air: 'local:e@1', path: undefined }, /must have required property 'path'/],
    [{ air: 'no identifier' }, /"air" must match pattern/],
    [{ air: 'a:b@c/../..' }, /"air" must match pattern/],
    [{ air: undefined }, /must have required property 'air'/],
  ]
  const folder = await modelsFolder(t, [...bad.map(([change]) => entry(change)), entry(), 'text'])
  const { models, broken } = await openRegistry([folder])
  t.same(
    models.map(({ air }) => air),
    ['local:sd@1'],
  )
  t.equal(broken.length, bad.length + 1)
  for (const [index, [change, reason]] of bad.entries()) {
    t.equal(broken[index]?.air, (change as { air?: string }).air ?? `entry ${index + 1} of models.json`)
    t.match(broken[index]?.reason, reason)
  }
})

t.test('a models.json that cannot be used as a whole is reported, and other folders work', async t => {
  const folder = await modelsFolder(t, [entry()])
  for (const [text, reason] of [
    ['{', /not JSON/],
    ['[]', /not a JSON object/],
    ['{}', /required property 'models'/],
    ['{"models":[],"more":1}', /unknown key "more"/],
  ] as const) {
    const other = join(folder, '..', 'other')
    await mkdir(other, { recursive: true })
    await writeFile(join(other, 'models.json'), text)
    const { models, broken } = await openRegistry([other, folder])
    t.equal(models.length, 1)
    t.match(broken, [{ air: 'models.json of other', reason }])
  }
})

t.test('a path may not leave the models folder, in any spelling or by a link', async t => {
  const paths = [
    '../outside',
    '/etc',
    'sd/../../outside',
    '..',
    '..\\outside',
    'C:\\x',
    'C:x',
    'link',
    'link/unet',
    'sd\0',
    '%2e%2e/outside',
    'nowhere',
  ]
  const folder = await modelsFolder(
    t,
    paths.map((path, index) => entry({ air: `local:m${index}@1`, path })),
  )
  await cp(referenceModel('sd1-tiny'), join(folder, '..', 'outside'), { recursive: true })
  await symlink(join('..', 'outside'), join(folder, 'link'))
  const { models, broken } = await openRegistry([folder])
  t.same(models, [])
  t.equal(broken.length, paths.length)
  for (const [index, path] of paths.entries()) t.match(broken[index]?.reason, /leaves the models folder|is not there/, JSON.stringify(path))
  for (const index of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    t.match(broken[index]?.reason, /leaves the models folder, which is refused/, paths[index])
})

t.test('a published checkpoint is offered at the size it was trained at', async t => {
  const sizes = { sd1: 512, sdxl: 1024, 'sdxl-refiner': 1024 } as const
  for (const [family, side] of Object.entries(sizes) as [keyof typeof sizes, number][]) {
    const path = await writeSparseCheckpoint(join(t.testdir({}), `${family}.safetensors`), await fullSizeKeys(family))
    const { models, broken } = await openRegistry([path])
    t.same(broken, [])
    t.match(models, [{ type: 'checkpoint', defaults: { width: side, height: side } }], family)
  }
})

t.test('config may not leave the models folder either, and is for single files', async t => {
  const folder = await modelsFolder(t, [
    entry({ air: 'local:a@1', path: 'one.safetensors', config: '../outside' }),
    entry({ air: 'local:b@1', config: 'sd' }),
    entry({ air: 'local:c@1', path: 'one.safetensors', type: 'lora', config: 'sd' }),
    entry({ air: 'local:d@1', path: 'one.safetensors', config: 'sd' }),
  ])
  await writeSingleFile('sd1-tiny', join(folder, 'one.safetensors'))
  await cp(join(folder, 'sd'), join(folder, '..', 'outside'), { recursive: true })
  const { models, broken } = await openRegistry([folder])
  t.match(broken, [{ reason: /leaves/ }, { reason: /describes itself/ }, { reason: /"config" is not for a lora/ }])
  t.match(models, [{ air: 'local:d@1', family: 'sd1', configPath: join(folder, 'sd') }])
})

t.test('no reason holds an absolute path', async t => {
  const folder = await modelsFolder(t, [
    entry({ path: 'gone' }),
    entry({ air: 'local:b@1', path: 'empty' }),
    entry({ air: 'local:c@1', path: 'a.safetensors' }),
    entry({ air: 'local:d@1' }),
  ])
  await mkdir(join(folder, 'empty'))
  await writeFile(join(folder, 'a.safetensors'), 'nothing')
  await rm(join(folder, 'sd', 'vae', 'config.json'))
  const { broken } = await openRegistry([folder])
  t.equal(broken.length, 4)
  for (const { reason } of broken) t.notMatch(reason, /\/(work|tmp|home|root|Users|models|dist)/)
})

t.test('of two models with the same identifier the first counts and the second is reported', async t => {
  const folder = await modelsFolder(t, [entry({ name: 'first' }), entry({ name: 'second', air: 'local:SD@1' })])
  const other = join(folder, '..', 'other')
  await cp(folder, other, { recursive: true })
  const { models, broken } = await openRegistry([folder, other])
  t.match(models, [{ name: 'first', path: join(folder, 'sd') }])
  t.same(
    broken.map(({ air }) => air),
    ['local:SD@1', 'local:sd@1', 'local:SD@1'],
  )
  for (const { reason } of broken) t.match(reason, /identifier is taken/)
})

t.test('a folder without models.json offers its diffusers folders and weight files under derived identifiers', async t => {
  const folder = t.testdir({
    '.hidden.safetensors': 'x',
    'notes.txt': 'x',
    'old.ckpt': 'x',
    pictures: {},
    broken: { 'model_index.json': '{}' },
  })
  await cp(referenceModel('sd1-tiny'), join(folder, 'My Model'), { recursive: true })
  await cp(referenceModel('sd2-tiny'), join(folder, 'my-model'), { recursive: true })
  await writeSafetensors(join(folder, 'Detail_LoRA v2.safetensors'), loraPair('lora_unet_mid_block_down'))
  const { models, broken } = await openRegistry([folder])
  t.match(models, [
    { air: 'local:my-model@1', family: 'sd2', name: 'my-model' },
    { air: 'local:detail-lora-v2@1', type: 'lora', name: 'Detail_LoRA v2' },
    { air: /^local:my-model-[0-9a-f]{8}@1$/, family: 'sd1', name: 'My Model' },
  ])
  t.match(broken, [
    { air: 'local:broken@1', reason: /no unet folder/ },
    { air: 'local:old.ckpt@1', reason: /pickle files can run code/ },
  ])
  await cp(referenceModel('mixed-tiny'), join(folder, 'a new one'), { recursive: true })
  const again = await openRegistry([folder])
  for (const { air, name } of models) t.equal(again.find(air)?.name, name, 'identifiers stay when a model is added')
})

t.test('a diffusers folder or a file may itself be named as a models folder', async t => {
  const folder = t.testdir({})
  const lora = await writeSafetensors(join(folder, 'style.safetensors'), loraPair('lora_te_text_model'))
  const { models, broken } = await openRegistry([referenceModel('sd1-tiny'), lora, referenceModel('sd1-tiny')])
  t.match(models, [
    { air: 'local:sd1-tiny@1', type: 'checkpoint' },
    { air: 'local:style@1', type: 'lora' },
  ])
  t.match(broken, [{ reason: /offered already, as local:sd1-tiny@1/ }])
})

t.test('a folder that is not there is an error of the command', async t => {
  await t.rejects(openRegistry([join(t.testdir({}), 'nowhere')]), { name: 'ModelError', message: /is not there/ })
})

t.test('a model whose parts are missing, damaged or do not fit is broken by name', async t => {
  const folder = t.testdir({})
  const damage: readonly (readonly [string, (model: string) => Promise<unknown>, RegExp])[] = [
    ['no-vae-weights', model => rm(join(model, 'vae', 'diffusion_pytorch_model.safetensors')), /vae has no weights/],
    ['no-config', model => rm(join(model, 'text_encoder', 'config.json')), /text_encoder\/config.json cannot be read/],
    ['no-schedule', model => rm(join(model, 'scheduler'), { recursive: true }), /scheduler_config.json cannot be read/],
    ['no-tokenizer', model => rm(join(model, 'tokenizer'), { recursive: true }), /tokenizer folder is not there/],
    [
      'bad-header',
      model => writeFile(join(model, 'unet', 'diffusion_pytorch_model.safetensors'), rawSafetensors('{"a":1}')),
      /tensor "a" without a description/,
    ],
    ['bad-line', model => writeFile(join(model, 'unet', 'config.json'), '{\n  "a": 1\n  "b": 2\n}'), /unet\/config.json is not JSON \(line 3, column 3\)/],
    ['bad-json', model => writeFile(join(model, 'unet', 'config.json'), '{'), /unet\/config.json is not JSON/],
    [
      'pickled',
      model => rename(join(model, 'vae', 'diffusion_pytorch_model.safetensors'), join(model, 'vae', 'diffusion_pytorch_model.bin')),
      /pickle files only/,
    ],
    [
      'extra-tensor',
      model => addTensor(join(model, 'unet', 'diffusion_pytorch_model.safetensors'), 'down_blocks.7.surprise.weight'),
      /down_blocks\.7\.surprise\.weight\) that nothing in the model uses/,
    ],
    [
      'lost-tensor',
      model => addTensor(join(model, 'text_encoder', 'model.safetensors'), 'x', 'text_model.final_layer_norm.bias'),
      /lacks the tensor text_model.final_layer_norm.bias/,
    ],
    ['instructions', model => change(join(model, 'unet', 'config.json'), { in_channels: 8 }), /InstructPix2Pix models .* not supported yet/],
    [
      'sdxl',
      model => change(join(model, 'model_index.json'), { _class_name: 'StableDiffusionXLPipeline' }),
      /the unet is not one of a StableDiffusionXLPipeline/,
    ],
    ['flux', model => change(join(model, 'model_index.json'), { _class_name: 'FluxPipeline' }), /kind FluxPipeline are not supported yet/],
    [
      'flow',
      model => change(join(model, 'scheduler', 'scheduler_config.json'), { prediction_type: 'flow_prediction' }),
      /prediction_type "flow_prediction", which is not supported/,
    ],
    ['betas', model => change(join(model, 'scheduler', 'scheduler_config.json'), { beta_end: 2 }), /beta_end that cannot be used: 2/],
    [
      'two-models',
      model => cp(join(referenceModel('mixed-tiny'), 'text_encoder'), join(model, 'text_encoder'), { recursive: true, force: true }),
      /do not fit together|width|lacks|nothing in the model uses/,
    ],
  ]
  for (const [name, apply] of damage) {
    await cp(referenceModel('sd1-tiny'), join(folder, name), { recursive: true })
    await apply(join(folder, name))
  }
  await cp(referenceModel('sd1-tiny'), join(folder, 'sound'), { recursive: true })
  const { models, broken } = await openRegistry([folder])
  t.same(
    models.map(({ air }) => air),
    ['local:sound@1'],
  )
  t.equal(broken.length, damage.length)
  for (const [name, , reason] of damage) t.match(broken.find(({ air }) => air === `local:${name}@1`)?.reason, reason, name)
})

async function addTensor(path: string, name: string, lost = ''): Promise<void> {
  const { [lost]: _, ...tensors } = await readTensors(path)
  await writeSafetensors(path, lost === '' ? { ...tensors, [name]: zeros(2) } : tensors)
}

async function change(path: string, values: object): Promise<void> {
  const { default: config } = (await import(path, { with: { type: 'json' } })) as { default: object }
  await writeFile(path, JSON.stringify({ ...config, ...values }))
}

t.test('parts that are loaded with a checkpoint are listed by their type, and a wrong type is broken', async t => {
  const kinds = {
    lora: 'lora_unet_down.lora_up.weight',
    vae: 'decoder.conv_in.weight',
    embedding: 'emb_params',
    ipAdapter: 'image_proj.proj.weight',
  }
  const folder = await modelsFolder(t, [
    ...Object.keys(kinds).map(type => entry({ air: `local:${type}@1`, type, path: type === 'vae' ? type : `${type}.safetensors` })),
    entry({ air: 'local:wrong@1', type: 'lora', path: 'vae.safetensors' }),
    entry({ air: 'local:folder@1', type: 'lora', path: 'sd' }),
    entry({ air: 'local:nocheckpoint@1', path: 'vae.safetensors' }),
  ])
  for (const [type, name] of Object.entries(kinds)) await writeSafetensors(join(folder, `${type}.safetensors`), { [name]: zeros(2) })
  await cp(join(referenceModel('sd1-tiny'), 'vae'), join(folder, 'vae'), { recursive: true })
  await writeSafetensors(join(folder, 'lora.safetensors'), loraPair('lora_unet_down'))
  await cp(join(REFERENCE, 'ip-adapters', 'sd1-plain.safetensors'), join(folder, 'ipAdapter.safetensors'))
  await cp(join(REFERENCE, 'ip-adapters', 'image_encoder'), join(folder, 'image_encoder'), { recursive: true })
  const { models, broken } = await openRegistry([folder])
  t.same(
    models.map(({ type }) => type),
    Object.keys(kinds),
  )
  t.match(broken, [{ reason: /is a vae, not a lora/ }, { reason: /one .safetensors file, not a folder/ }, { reason: /not a checkpoint/ }])
  await rm(join(folder, 'models.json'))
  await rm(join(folder, 'sd'), { recursive: true })
  t.same(
    (await openRegistry([folder])).models.map(({ type }) => type).sort(),
    Object.keys(kinds).sort(),
    'types are told from the files too',
  )
})

t.test('which checkpoint was trained for inpainting is told', async t => {
  const { models } = await openRegistry([referenceModel('inpaint-tiny'), referenceModel('sd1-tiny')])
  t.same(models.map(({ air, takesMask }) => [air, takesMask]), [['local:inpaint-tiny@1', true], ['local:sd1-tiny@1', undefined]])
})

t.test('a registry tells the same in another process, and looks at models without writing a graph down', async t => {
  const { encode } = TextEncoder.prototype
  let texts = 0
  TextEncoder.prototype.encode = function (text) {
    texts++
    return encode.call(this, text)
  }
  t.teardown(() => { TextEncoder.prototype.encode = encode })
  const registry = await openRegistry([referenceModel('sd1-tiny'), referenceModel('sd2-tiny')])
  t.ok(texts < 100, `${texts} texts of graphs were written`)
  const { models, broken } = structuredClone({ models: registry.models, broken: registry.broken })
  const copy = fixedRegistry({ models, broken })
  t.same(copy.models, registry.models)
  t.same(copy.find('LOCAL:sd2-tiny@1'), registry.find('local:sd2-tiny@1'))
  t.equal(copy.find('local:none@1'), undefined)
})

t.test('ControlNets are known by their folders and files, and what they are for is told', async t => {
  const folder = await modelsFolder(t, [
    entry({ air: 'local:folder@1', type: 'controlnet', path: 'edges' }),
    entry({ air: 'local:file@1', type: 'controlnet', path: 'edges.safetensors', config: 'edges' }),
    entry({ air: 'local:untold@1', type: 'controlnet', path: 'edges.safetensors' }),
    entry({ air: 'local:wrong@1', type: 'checkpoint', path: 'edges.safetensors' }),
    entry({ air: 'local:other@1', type: 'controlnet', path: 'sd' }),
  ])
  const edges = join(referenceModel('sd1-tiny'), '..', '..', 'control-nets', 'sd1-tiny-edges')
  await cp(edges, join(folder, 'edges'), { recursive: true })
  await cp(join(edges, 'diffusion_pytorch_model.safetensors'), join(folder, 'edges.safetensors'))
  const { models, broken } = await openRegistry([folder])
  t.match(models, [
    { air: 'local:folder@1', type: 'controlnet', family: 'sd1', path: join(folder, 'edges') },
    { air: 'local:file@1', type: 'controlnet', family: 'sd1', configPath: join(folder, 'edges') },
  ])
  t.match(broken, [{ reason: /family cannot be told/ }, { reason: /not a checkpoint/ }, { reason: /.+/ }])
  const bare = await openRegistry([join(edges, '..'), join(folder, 'edges')])
  t.match(bare.models.map(({ air, type, family }) => [air, type, family]), [
    ['local:inpaint-tiny-edges@1', 'controlnet', 'sd1'], ['local:sd1-tiny-depth@1', 'controlnet', 'sd1'], ['local:sd1-tiny-edges@1', 'controlnet', 'sd1'], ['local:sd2-tiny-edges@1', 'controlnet', 'sd2'],
    ['local:sd2-tiny-shuffle@1', 'controlnet', 'sd2'], ['local:sdxl-tiny-edges@1', 'controlnet', 'sdxl'], ['local:edges@1', 'controlnet', 'sd1'],
  ])
})

t.test('identifiers: the grammar, and derived ones always follow it', async t => {
  for (const air of ['local:sd@1', 'civitai:4384@128713', 'runware:100@1', 'a-b:c.d_e-F@G.1']) t.ok(isAir(air), air)
  for (const air of [
    '',
    'sd',
    'local:sd',
    'Local:sd@1',
    'local:../../etc/passwd@1',
    'a:b@c/../..',
    'a:b%2e@c',
    'a:b@c\0',
    'a:b@c\n',
    'a:b c@1',
    `a:${'b'.repeat(300)}@1`,
  ])
    t.notOk(isAir(air), JSON.stringify(air))
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (name, isTaken) => isAir(derivedAir(name, () => isTaken))))
  t.equal(
    derivedAir('Ünï ..Modell!! v1.5.SAFETENSORS', () => false),
    'local:n-..modell-v1.5@1',
  )
})
