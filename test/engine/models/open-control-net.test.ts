import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { compileControlNet } from '../../../engine/models/compile-control-net.ts'
import { openControlNet } from '../../../engine/models/open-control-net.ts'
import { readTensors, writeSafetensors, zeros } from '../weights/safetensors-writer.ts'
import type { TensorBytes } from '../weights/safetensors-writer.ts'
import { writeSparseCheckpoint } from './checkpoint-file.ts'
import type { Shapes } from './checkpoint-file.ts'

const REFERENCE = join(import.meta.dirname, '..', '..', '..', '..', 'test', 'reference')
const EDGES = join(REFERENCE, 'control-nets', 'sd1-tiny-edges')

async function folderTensors(): Promise<Record<string, TensorBytes>> {
  return readTensors(join(EDGES, 'diffusion_pytorch_model.safetensors'))
}

async function readJson<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(REFERENCE, 'single-file', name), 'utf8')) as T
}

/** The tensors of the small ControlNet under the names of the original code, as diffusers' own loader has confirmed them. */
async function originalTensors(prefix = 'control_model.'): Promise<Record<string, TensorBytes>> {
  const stored = await folderTensors()
  const names = Object.entries(await readJson<Record<string, string>>('sd1-tiny-edges.json'))
  return Object.fromEntries(names.map(([original, name]) => [original.replace('control_model.', prefix), stored[name] as TensorBytes]))
}

t.test('a single file of either naming gives the tensors of the diffusers folder', async t => {
  const folder = t.testdir({})
  const expected = await folderTensors()
  const files = {
    'in the naming of diffusers': expected,
    'in the original naming': await originalTensors(),
    'in the original naming without its prefix': await originalTensors(''),
  }
  t.equal((await openControlNet(EDGES)).family, 'sd1')
  for (const [title, tensors] of Object.entries(files)) {
    const path = await writeSafetensors(join(folder, 'net.safetensors'), tensors)
    const net = await openControlNet(path, EDGES)
    const bytes = await readFile(path)
    const different = Object.entries(expected).filter(([name, { shape, data }]) => {
      const { offset, byteLength } = net.weights.get(name, shape)
      return !bytes.subarray(offset, offset + byteLength).equals(data)
    })
    t.same(different.map(([name]) => name), [], title)
    t.ok(Object.keys(expected).length > 150, 'there are enough tensors to compare')
    compileControlNet((await openControlNet(path, EDGES)), 'cpu')
  }
})

t.test('a file of the published size needs no configuration', async t => {
  const keys = await readJson<Shapes>('sd1-control-net-keys.json')
  const folder = t.testdir({})
  const open = async (name: string) => openControlNet(await writeSparseCheckpoint(join(folder, name), keys))
  const net = await open('control_sd15_canny.safetensors')
  t.equal(net.family, 'sd1')
  t.ok(compileControlNet(net, 'cpu').encode().length > 0)
  t.notOk(net.config['global_pool_conditions'])
  const pooled = await open('control_v11e_sd15_shuffle.safetensors')
  t.equal(pooled.config['global_pool_conditions'], true, 'its name alone tells that its maps are pooled')
})

t.test('what is missing, left over or of another kind is named', async t => {
  const folder = t.testdir({ vae: { 'config.json': '{"_class_name":"AutoencoderKL"}' }, bare: { 'config.json': '{}' }, pickled: { 'config.json': '{}', 'diffusion_pytorch_model.bin': '' } })
  const write = async (change: (tensors: Record<string, TensorBytes>) => void): Promise<string> => {
    const tensors = await originalTensors()
    change(tensors)
    return writeSafetensors(join(folder, 'net.safetensors'), tensors)
  }
  const compile = async (path: string, configPath?: string): Promise<unknown> => compileControlNet(await openControlNet(path, configPath), 'cpu')
  await t.rejects(compile(await write(tensors => delete tensors['control_model.zero_convs.3.0.weight']), EDGES), {
    name: 'WeightError', message: 'the ControlNet lacks the tensor controlnet_down_blocks.3.weight',
  })
  await t.rejects(compile(await write(tensors => { tensors['control_model.surprise'] = zeros(1) }), EDGES), {
    name: 'ModelError', message: /its weights hold a tensor \(control_model\.surprise\) that nothing/,
  })
  await t.rejects(compile(await write(() => {})), { name: 'ModelError', message: /family cannot be told: it has a cross attention of width 32/ })
  await t.rejects(compile(await write(() => {}), join(folder, 'vae')), { name: 'ModelError', message: /of the kind AutoencoderKL are not supported as ControlNets/ })
  await t.rejects(compile(EDGES, EDGES), { name: 'ModelError', message: /"config" folder is for single files/ })
  await t.rejects(compile(join(folder, 'bare')), { name: 'WeightError', message: /has no weights/ })
  await t.rejects(compile(join(folder, 'pickled')), { name: 'WeightError', message: /pickle files only/ })
  await t.rejects(compile(join(folder, 'nowhere')), { name: 'ModelError', message: /is not there/ })
})
