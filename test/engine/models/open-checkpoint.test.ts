import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { familyConfig } from '../../../engine/models/family-config.ts'
import type { StoredTensor } from '../../../engine/weights/stored-tensor.ts'
import { compileCheckpoint } from '../../../engine/models/compile-checkpoint.ts'
import type { CompiledCheckpoint } from '../../../engine/models/compile-checkpoint.ts'
import { openCheckpoint } from '../../../engine/models/open-checkpoint.ts'
import type { TensorBytes } from '../weights/safetensors-writer.ts'
import { writeSafetensors, zeros } from '../weights/safetensors-writer.ts'
import { referenceModel, writeSingleFile } from '../weights/single-file.ts'
import { fullSizeKeys, writeSparseCheckpoint } from './checkpoint-file.ts'
import type { Shapes } from './checkpoint-file.ts'

const STATISTIC = 'model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias'
// Parameters of the published UNets, as diffusers counts them.
const UNET_PARAMETERS = { sd1: 859_520_964, sd2: 865_910_724, sdxl: 2_567_463_684, 'sdxl-refiner': 2_259_526_660 }
const PAD_TOKENS = { sd1: ['<|endoftext|>'], sd2: ['!'], sdxl: ['<|endoftext|>', '!'], 'sdxl-refiner': ['!'] }

for (const family of ['sd1', 'sd2', 'sdxl', 'sdxl-refiner'] as const) {
  t.test(`a published ${family} checkpoint alone is enough: family, configuration, tokenizer, and every tensor has its place`, async t => {
    const path = await writeSparseCheckpoint(join(t.testdir({}), 'model.safetensors'), await fullSizeKeys(family))
    const checkpoint = await openCheckpoint(path)
    t.equal(checkpoint.family, family === 'sdxl-refiner' ? 'sdxlRefiner' : family)
    const tokenizers = Object.values(checkpoint.tokenizers)
    for (const { vocabulary } of tokenizers) t.equal(Object.keys(vocabulary).length, 49408)
    t.same(tokenizers.map(({ padToken }) => padToken), PAD_TOKENS[family])
    t.equal(checkpoint.zerosEmptyPrompt, family === 'sdxl', 'no negative prompt is zeros in the base alone, as published')
    for (const lowering of ['cpu'] as const) compileCheckpoint(checkpoint, lowering)
    const parameters = [...checkpoint.weights.unet.used().values()].reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0)
    t.equal(parameters, UNET_PARAMETERS[family])
  })
}

t.test('a tensor too many or too few in a published checkpoint is an error that names it', async t => {
  const keys = await fullSizeKeys('sd1')
  const name = 'model.diffusion_model.middle_block.0.in_layers.0.bias'
  const { [name]: _, ...fewer } = keys
  const folder = t.testdir({})
  const compile = async (shapes: Shapes): Promise<unknown> =>
    compileCheckpoint(await openCheckpoint(await writeSparseCheckpoint(join(folder, 'm.safetensors'), shapes)), 'cpu')
  await t.rejects(compile(fewer), { name: 'WeightError', message: /lacks the tensor mid_block\.resnets\.0\.norm1\.bias/ })
  await t.rejects(compile({ ...keys, 'mystery.weight': [3] }), {
    name: 'ModelError',
    message: /a tensor \(mystery\.weight\) that nothing in the model uses/,
  })
  await t.rejects(compile({ ...keys, [name]: [5] }), {
    name: 'WeightError',
    message: new RegExp(`${name.replaceAll('.', '\\.')} has the shape \\[5\\], not \\[1280\\]`),
  })
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`mystery.${index}`, [1]]))
  await t.rejects(compile({ ...keys, ...many }), { message: /mystery\.0, mystery\.1, mystery\.2 and 6 more/ })
})

/** Values that spread so far: half of them `deviation`, half of them its negative, in one of the element types. */
function spread(deviation: number, dtype: 'F32' | 'F16' | 'BF16'): TensorBytes {
  const bits = { F16: { 0.0625: 0x2c00, 0.125: 0x3000 }, BF16: { 0.0625: 0x3d80, 0.125: 0x3e00 } }
  const data = Buffer.alloc(dtype === 'F32' ? 1280 : 640)
  for (let index = 0; index < 320; index++) {
    const sign = index % 2
    if (dtype === 'F32') data.writeFloatLE(sign ? -deviation : deviation, 4 * index)
    else data.writeUInt16LE(bits[dtype][deviation as 0.125] | (sign << 15), 2 * index)
  }
  return { dtype, shape: [320], data }
}

t.test('what an SD 2.x file predicts is told from its statement, its markers or its weights', async t => {
  const keys = await fullSizeKeys('sd2')
  const folder = t.testdir({})
  const prediction = async (
    ...[metadata, values, more = {}]: [metadata?: Record<string, string>, values?: Record<string, TensorBytes>, more?: Shapes]
  ): Promise<readonly unknown[]> => {
    const { noiseSchedule, configs } = await openCheckpoint(
      await writeSparseCheckpoint(join(folder, 'm.safetensors'), { ...keys, ...more }, metadata, values),
    )
    return [noiseSchedule.predictionType, configs.unet['sample_size'], noiseSchedule.rescaleBetasZeroSnr]
  }
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    t.same(await prediction(undefined, { [STATISTIC]: spread(0.125, dtype) }), ['vPrediction', 96, false], dtype)
    t.same(await prediction(undefined, { [STATISTIC]: spread(0.0625, dtype) }), ['epsilon', 64, false], dtype)
  }
  t.same(await prediction({ 'modelspec.prediction_type': 'epsilon' }, { [STATISTIC]: spread(0.125, 'F32') }), ['epsilon', 64, false])
  t.same(await prediction({ 'modelspec.prediction_type': 'v' }), ['vPrediction', 96, false])
  t.same(await prediction(undefined, {}, { v_pred: [0], ztsnr: [0] }), ['vPrediction', 96, true])
})

t.test('SD 1.x predicts the noise, unless the file says otherwise', async t => {
  const keys = await fullSizeKeys('sd1')
  const path = join(t.testdir({}), 'm.safetensors')
  t.match((await openCheckpoint(await writeSparseCheckpoint(path, keys))).noiseSchedule, {
    predictionType: 'epsilon',
    className: 'PNDMScheduler',
    betaStart: 0.00085,
    betaEnd: 0.012,
  })
  t.match((await openCheckpoint(await writeSparseCheckpoint(path, { ...keys, v_pred: [0] }))).noiseSchedule, {
    predictionType: 'vPrediction',
    rescaleBetasZeroSnr: false,
  })
})

t.test('single files of other architectures are refused by their names', async t => {
  const folder = t.testdir({})
  const attention = 'model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight'
  const conv = 'model.diffusion_model.input_blocks.0.0.weight'
  const cases: readonly (readonly [Record<string, TensorBytes>, RegExp])[] = [
    [{ 'model.diffusion_model.joint_blocks.0.x.weight': zeros(2) }, /Stable Diffusion 3 is not supported yet/],
    [{ 'double_blocks.0.img_attn.qkv.weight': zeros(2) }, /Flux is not supported yet/],
    [{ 'model.diffusion_model.label_emb.0.0.weight': zeros(2) }, /unCLIP is not supported yet/],
    [{ [conv]: zeros(2, 8, 1, 1) }, /InstructPix2Pix models \(8 input channels\) are not supported yet/],
    [{ [conv]: zeros(2, 4, 1, 1), [attention]: zeros(2, 2048) }, /cross attention of width 2048.*name a "config" folder/],
    [{ [conv]: zeros(2, 4, 1, 1) }, /has no cross attention/],
    [{ 'lora_unet_x.lora_up.weight': zeros(2) }, /not a checkpoint/],
  ]
  for (const [tensors, reason] of cases)
    await t.rejects(openCheckpoint(await writeSafetensors(join(folder, 'm.safetensors'), tensors)), { name: 'ModelError', message: reason })
})

for (const model of ['sd1-tiny', 'sd2-tiny', 'sdxl-tiny', 'sdxl-refiner-tiny']) {
  t.test(`a single file with a config folder compiles as the diffusers folder does: ${model}`, async t => {
    const folder = t.testdir({})
    const config = join(folder, 'config')
    await cp(referenceModel(model), config, {
      recursive: true,
      filter: source => (!source.endsWith('.safetensors') && !source.includes('index')) || source.endsWith('model_index.json'),
    })
    const file = await writeSingleFile(model, join(folder, 'model.safetensors'))
    const [single, whole] = await Promise.all([openCheckpoint(file, config), openCheckpoint(referenceModel(model))])
    const [left, right] = [compileCheckpoint(single, 'cpu'), compileCheckpoint(whole, 'cpu')]
    const shapes = ({ textEncoders, unet, vae }: CompiledCheckpoint) =>
      [...textEncoders, unet, ...vae.graphs].map(({ inputs, outputs }) => ({ inputs, outputs }))
    t.same(shapes(left), shapes(right))
    t.same(
      [single.family, single.noiseSchedule, single.configs, single.tokenizers, single.zerosEmptyPrompt],
      [whole.family, whole.noiseSchedule, whole.configs, whole.tokenizers, whole.zerosEmptyPrompt],
    )
    await rm(join(config, 'unet'), { recursive: true })
    await t.rejects(openCheckpoint(file, config), { name: 'ModelError', message: /config is not a diffusers folder/ })
  })
}

t.test('a small single file without its config folder cannot be told and is refused', async t => {
  await t.rejects(openCheckpoint(await writeSingleFile('sd1-tiny', join(t.testdir({}), 'model.safetensors'))), {
    name: 'ModelError',
    message: /cross attention of width 32/,
  })
})

t.test('a single file whose first convolution takes nine channels is an inpainting model of its family', async t => {
  const conv = (channels: number) => new Map([['model.diffusion_model.input_blocks.0.0.weight', { shape: [320, channels, 3, 3] } as unknown as StoredTensor]])
  for (const channels of [4, 9]) t.equal((await familyConfig('sd1', conv(channels), new Map())).unet['in_channels'], channels)
})
