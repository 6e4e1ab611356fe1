import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import type { LoadedModel } from '../../../engine/models/loaded-model.ts'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { fakeRuntime } from '../../../engine/runtime/fake-runtime.ts'
import type { TensorBytes } from '../weights/safetensors-writer.ts'
import { readTensors, writeSafetensors } from '../weights/safetensors-writer.ts'
import { referenceModel } from '../weights/single-file.ts'

const LORAS = join(referenceModel('sd1-tiny'), '..', '..', 'loras')
const Q = 'lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q'
const DOWN = 'lora_unet_down_blocks_0_downsamplers_0_conv'

function floats(...values: readonly number[]): Pick<TensorBytes, 'dtype' | 'data'> {
  return { dtype: 'F32', data: new Uint8Array(Float32Array.from(values).buffer) }
}

/** Factors of rank 2 whose numbers count up from 1, for a layer of these widths. */
function pair(layer: string, inputs: number, outputs: number, kernel = 1): Record<string, TensorBytes> {
  const numbers = (count: number) => floats(...Array.from({ length: count }, (_, i) => i + 1))
  const square = kernel === 1 ? [] : [kernel, kernel]
  return {
    [`${layer}.lora_down.weight`]: { ...numbers(2 * inputs * kernel ** 2), shape: [2, inputs, ...square] },
    [`${layer}.lora_up.weight`]: { ...numbers(2 * outputs), shape: [outputs, 2, ...(kernel === 1 ? [] : [1, 1])] },
  }
}

/** A loader over the reference checkpoint and LoRA files made of these tensors. */
async function loaderOf(t: Test, files: Readonly<Record<string, Readonly<Record<string, TensorBytes>>>>, weightsBudgetBytes = 1e9) {
  const folder = t.testdir({})
  for (const [name, tensors] of Object.entries(files)) await writeSafetensors(join(folder, `${name}.safetensors`), tensors)
  const registry = await openRegistry([referenceModel('sd1-tiny'), referenceModel('mixed-tiny'), folder])
  t.same(registry.broken, [])
  const loader = createModelLoader({ registry, runtime: fakeRuntime(), weightsBudgetBytes })
  const base = await loader.load('local:sd1-tiny@1')
  return { folder, loader, base, use: (name: string, beside?: readonly string[]) => loader.usePart('lora', `local:${name}@1`, base, beside) }
}

function namesOf({ loraInputs }: LoadedModel): readonly string[] {
  return loraInputs.map(({ name }) => name)
}

t.test('a LoRA is widened, transposed and scaled once, by the layers of its checkpoint', async t => {
  const tensors = { ...pair(Q, 24, 24), [`${Q}.alpha`]: { ...floats(0.5), shape: [] }, ...pair(DOWN, 16, 16, 3), ...pair('lora_te_text_model_encoder_layers_0_mlp_fc1', 32, 128) }
  const { use } = await loaderOf(t, { a: tensors })
  const { part } = await use('a')
  t.same([part.unet.rank, part.textEncoders.map(({ rank }) => rank)], [2, [2]])
  const q = part.unet.layers.get('mid_block.attentions.0.transformer_blocks.0.attn1.to_q')
  t.same(q?.down.subarray(0, 3), Float32Array.of(1, 2, 3))
  t.same([q?.up[0], q?.up[1], q?.up[24]], [0.25, 0.75, 0.5], 'up [24, 2] lies as [2, 24], times alpha / rank')
  t.equal(part.unet.layers.get('down_blocks.0.downsamplers.0.conv')?.down.length, 2 * 16 * 9)
  t.same([...part.textEncoders[0]?.layers.keys() ?? []], ['text_model.encoder.layers.0.mlp.fc1'])
})

t.test('float16 and bfloat16 numbers are widened exactly', async t => {
  const halves = { dtype: 'F16', data: new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8200, 0x7bff, 0, ...new Array<number>(42).fill(0)).buffer), shape: [2, 24] }
  const brain = { dtype: 'BF16', data: new Uint8Array(Uint16Array.of(0x3f80, 0xc049, ...new Array<number>(46).fill(0)).buffer), shape: [24, 2] }
  const { use } = await loaderOf(t, { a: { [`${Q}.lora_down.weight`]: halves, [`${Q}.lora_up.weight`]: brain } })
  const { unet } = (await use('a')).part
  const [factors] = unet.layers.values()
  t.same(factors?.down.subarray(0, 6), Float32Array.of(1, -2, 2 ** -24, -(2 ** -15), 65504, 0))
  t.same([factors?.up[0], factors?.up[24]], [1, -3.140625])
})

t.test('only layers that some LoRA of the folders adds to have inputs', async t => {
  const without = await loaderOf(t, {})
  const plain = without.base.unet.inputs.length
  t.same(namesOf(without.base), [])
  const { base, loader } = await loaderOf(t, { a: pair(Q, 24, 24), b: pair(DOWN, 16, 16, 3), alien: pair('lora_unet_single_blocks_0_linear1', 4, 4) })
  t.same(namesOf(base), ['down_blocks.0.downsamplers.0.conv', 'mid_block.attentions.0.transformer_blocks.0.attn1.to_q'])
  t.equal(base.unet.inputs.length, plain + 2 * 3)
  t.same(namesOf(await loader.load('local:mixed-tiny@1')), [], 'of the same names but of other widths')
})

t.test('a LoRA under the original names of the layers fits too', async t => {
  const { base, use } = await loaderOf(t, {
    a: { ...pair('lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q', 24, 24), ...pair('lora_unet_input_blocks_3_0_op', 16, 16, 3), ...pair('lora_unet_middle_block_0_in_layers_2', 24, 24, 3), ...pair('lora_unet_time_embed_2', 64, 64) },
  })
  const names = ['time_embedding.linear_2', 'down_blocks.0.downsamplers.0.conv', 'mid_block.attentions.0.transformer_blocks.0.attn1.to_q', 'mid_block.resnets.0.conv1']
  t.same([...namesOf(base)].sort(), [...names].sort())
  t.same([...(await use('a')).part.unet.layers.keys()].sort(), [...names].sort())
})

t.test('a LoRA that does not fit is refused by its first key that does not', async t => {
  const nan = { ...pair(Q, 24, 24), [`${Q}.lora_up.weight`]: { ...floats(Number.NaN, ...new Array<number>(47).fill(0)), shape: [24, 2] } }
  const large = { ...pair(Q, 24, 24), [`${Q}.lora_down.weight`]: { ...floats(1e6, ...new Array<number>(47).fill(0)), shape: [2, 24] } }
  const { use } = await loaderOf(t, {
    other: { ...pair(Q, 24, 24), ...pair('lora_unet_down_blocks_3_attentions_0_proj_in', 24, 24), ...pair('lora_unet_nowhere', 1, 1) },
    wide: { ...pair(DOWN, 16, 16, 3), ...pair(Q, 320, 320) },
    flat: pair(DOWN, 16, 16),
    twice: { ...pair(DOWN, 16, 16, 3), ...pair('lora_unet_input_blocks_3_0_op', 16, 16, 3) },
    second: pair('lora_te2_text_model_encoder_layers_0_mlp_fc1', 32, 128),
    nan, large,
  })
  const refused = (name: string, message: RegExp) => t.rejects(use(name), { name: 'ModelError', message }, name)
  await refused('other', /local:other@1 cannot be loaded: its key "lora_unet_down_blocks_3_attentions_0_proj_in.lora_down.weight" is of a layer that the checkpoint does not have$/)
  await refused('wide', /its key "lora_unet_mid_.*to_q.lora_down.weight" is of a layer from 320 to 320, and the checkpoint's is from 24 to 24$/)
  await refused('flat', /its key .* is of a layer from 16 to 16, and the checkpoint's is from 16 to 16 with a kernel of 3$/)
  await refused('twice', /its key "lora_unet_input_blocks_3_0_op.lora_down.weight" is of a layer that another one is of under another name$/)
  await refused('second', /its key "lora_te2_.*" is of a layer that the checkpoint does not have$/)
  await refused('nan', /its key .*to_q.lora_down.weight" is of a layer whose numbers are not finite or too large$/)
  await refused('large', /whose numbers are not finite or too large$/)
  await t.rejects(use('nobody'), { message: /there is no model/ })
  await t.rejects(use('mixed-tiny'), { message: /is a checkpoint, not a lora/ })
})

t.test('a file that was replaced by one with other layers is not used in part', async t => {
  const { folder, use } = await loaderOf(t, { a: pair(Q, 24, 24) })
  await cp(join(LORAS, 'sd1-tiny-kohya.safetensors'), join(folder, 'a.safetensors'))
  await t.rejects(use('a'), { message: /was not there when the server looked through its models; start it again$/ })
})

t.test('LoRAs take room of the budget beside their checkpoint and are let go least recently used first', async t => {
  const files = { a: pair(Q, 24, 24), b: pair(Q, 24, 24), c: pair(Q, 24, 24) }
  const { base } = await loaderOf(t, files)
  const { loader, use } = await loaderOf(t, files, base.byteLength + 2 * 4 * 2 * (24 + 24))
  const release = loader.hold('local:sd1-tiny@1')
  for (const name of ['a', 'b', 'a', 'c']) (await use(name)).release()
  t.same([...loader.loaded()].sort(), ['local:a@1', 'local:c@1', 'local:sd1-tiny@1'])
  const held = [await use('a'), await use('c')]
  await t.rejects(use('b', ['local:a@1', 'local:c@1']), { message: /beside the .* it is used with, more than/ }, 'it would wait for itself')
  const waiting = use('b')
  held[0]?.release()
  await waiting
  t.same([...loader.loaded()].sort(), ['local:b@1', 'local:c@1', 'local:sd1-tiny@1'])
  release()
})

t.test('the reference LoRAs are of the layers that their files name', async t => {
  const registry = await openRegistry([referenceModel('sd1-tiny'), LORAS])
  const loader = createModelLoader({ registry, runtime: fakeRuntime(), weightsBudgetBytes: 1e9 })
  const base = await loader.load('local:sd1-tiny@1')
  for (const name of ['sd1-tiny-kohya', 'sd1-tiny-locon', 'sd1-tiny-peft', 'sd1-tiny-processor']) {
    const { part } = await loader.usePart('lora', `local:${name}@1`, base)
    const keys = Object.keys(await readTensors(join(LORAS, `${name}.safetensors`))).filter(key => /(lora_down|lora_A|lora\.down)\./.test(key))
    t.equal(part.unet.layers.size + (part.textEncoders[0]?.layers.size ?? 0), keys.length, name)
  }
})
