import { createHash } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { isMade, makeModel } from '../../bench/model-maker/make-model.ts'
import { writeRandomWeights } from '../../bench/model-maker/random-weights.ts'
import { toFloat16 } from '../../bench/model-maker/to-float16.ts'
import { openRegistry } from '../../engine/index.ts'
import { readTensors } from '../engine/weights/safetensors-writer.ts'

t.test('models of the published sizes are such that the registry offers them, at the size they were trained at', async t => {
  for (const [size, side] of [['sd15', 512], ['sd21', 768]] as const) {
    const folder = join(t.testdir(), size)
    await makeModel(folder, size, 'sparse')
    const { models, broken } = await openRegistry([folder])
    t.same(broken, [])
    t.match(models[0], { type: 'checkpoint', defaults: { width: side, height: side } })
    const { size: bytes, blocks } = await stat(join(folder, 'unet/diffusion_pytorch_model.safetensors'))
    t.ok(bytes > 3.4e9 && bytes < 3.5e9, `${bytes} bytes: the 860 and 866 million parameters that are published`)
    t.ok(blocks * 512 < 10e6, 'a file of nothing takes no space')
  }
})

t.test('a folder that was made otherwise is known, and gives way', async t => {
  const folder = join(t.testdir(), 'sd15')
  t.notOk(await isMade(folder), 'there is none')
  await makeModel(folder, 'sd15', 'sparse')
  t.ok(await isMade(folder))
  await writeFile(join(folder, 'maker.json'), '{"version":1}')
  t.notOk(await isMade(folder), 'another version')
  await rm(join(folder, 'maker.json'))
  t.notOk(await isMade(folder), 'from before there were versions')
  await makeModel(folder, 'sd15', 'sparse')
  t.ok(await isMade(folder))
})

t.test('random weights keep the size of what passes through, norms are ones and biases zeros', async t => {
  const path = join(t.testdir(), 'w.safetensors')
  const shapes = new Map([['a.weight', [64, 100]], ['norm.weight', [32]], ['a.bias', [64]]])
  await writeRandomWeights(path, shapes, 'fp32')
  const tensors = await readTensors(path)
  const values = (name: string) => {
    const { data = new Uint8Array() } = tensors[name] ?? {}
    return [...new Float32Array(Uint8Array.from(data).buffer)]
  }
  t.ok(values('norm.weight').every(value => value === 1))
  t.ok(values('a.bias').every(value => value === 0))
  const weights = values('a.weight')
  const deviation = Math.sqrt(weights.reduce((sum, value) => sum + value ** 2, 0) / weights.length)
  t.ok(Math.abs(deviation * Math.sqrt(100) - 0.5) < 0.02, 'half of 1 / sqrt(inputs)')
  await writeRandomWeights(path, shapes, 'fp16')
  t.equal((await readTensors(path))['norm.weight']?.data.length, 64)
  t.equal((await readFile(path)).readUInt16LE((await readFile(path)).length - 128 - 64), 0x3c00, 'a one of half precision')
})

t.test('no two tensors are equal, for the runtime keeps equal ones once', async t => {
  const path = join(t.testdir(), 'w.safetensors')
  // Large enough for the values to begin again, several times in one tensor.
  const shapes = new Map(Array.from({ length: 6 }, (_, index) => [`${index}.weight`, [1024, index < 3 ? 64 : 2100]]))
  await writeRandomWeights(path, shapes, 'fp32')
  const tensors = Object.values(await readTensors(path))
  t.same(tensors.map(({ data }) => data.length), [...shapes.values()].map(([rows = 0, width = 0]) => rows * width * 4))
  t.equal(new Set(tensors.map(({ data }) => createHash('sha256').update(data).digest('hex'))).size, 6)
})

t.test('half precision is rounded to the nearest, to even in the middle', async t => {
  const cases = [
    [0, 0], [1, 0x3c00], [-2, 0xc000], [0.1, 0x2e66], [65504, 0x7bff],
    [1 + 2 ** -11, 0x3c00], [1 + 3 * 2 ** -11, 0x3c02], [1 + 2 ** -11 + 2 ** -20, 0x3c01], [1e-8, 0], [2047.9, 0x6800],
  ] as const
  for (const [value, bits] of cases) t.equal(toFloat16(value), bits, String(value))
})
