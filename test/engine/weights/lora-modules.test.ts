import t from 'tap'
import { loraModules } from '../../../engine/weights/lora-modules.ts'
import type { SafetensorsFile } from '../../../engine/weights/safetensors.ts'
import type { StoredTensor } from '../../../engine/weights/stored-tensor.ts'

type Shapes = Readonly<Record<string, readonly number[]>>

function tensor(shape: readonly number[], dtype: StoredTensor['dtype'] = 'F16'): StoredTensor {
  return { file: '/lora.safetensors', offset: 0, byteLength: 2 * shape.reduce((a, b) => a * b, 1), dtype, shape }
}

function file(shapes: Shapes, metadata?: Readonly<Record<string, unknown>>): SafetensorsFile {
  const tensors = new Map(Object.entries(shapes).map(([key, shape]) => [key, tensor(shape)]))
  return { tensors, metadata: new Map(metadata ? [['lora_adapter_metadata', JSON.stringify(metadata)]] : []) }
}

function pair(down: string, up: string): Shapes {
  return { [down]: [4, 6], [up]: [10, 4] }
}

t.test('the keys of every style name their layer', async t => {
  const unet = 'down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q'
  const dotted = 'down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q'
  const text = 'encoder_layers_3_self_attn_q_proj'
  const dottedText = 'encoder.layers.3.self_attn.q_proj'
  const cases: readonly (readonly [string, string, string, string])[] = [
    [`lora_unet_${unet}.lora_down.weight`, `lora_unet_${unet}.lora_up.weight`, 'unet', unet],
    [`lora_te_text_model_${text}.lora_down.weight`, `lora_te_text_model_${text}.lora_up.weight`, 'text_encoder', text],
    [`lora_te1_text_model_${text}.lora_down.weight`, `lora_te1_text_model_${text}.lora_up.weight`, 'text_encoder', text],
    [`lora_te2_text_model_${text}.lora_down.weight`, `lora_te2_text_model_${text}.lora_up.weight`, 'text_encoder_2', text],
    [`unet.${dotted}.lora_A.weight`, `unet.${dotted}.lora_B.weight`, 'unet', unet],
    [`unet.${dotted}.lora_A.default.weight`, `unet.${dotted}.lora_B.default.weight`, 'unet', unet],
    [`base_model.model.${dotted}.lora_A.weight`, `base_model.model.${dotted}.lora_B.weight`, 'unet', unet],
    [`text_encoder.text_model.${dottedText}.lora_A.weight`, `text_encoder.text_model.${dottedText}.lora_B.weight`, 'text_encoder', text],
    [`text_encoder.${dottedText}.lora_A.weight`, `text_encoder.${dottedText}.lora_B.weight`, 'text_encoder', text],
    [`text_encoder_2.text_model.${dottedText}.lora_A.weight`, `text_encoder_2.text_model.${dottedText}.lora_B.weight`, 'text_encoder_2', text],
    [`unet.${dotted}.lora.down.weight`, `unet.${dotted}.lora.up.weight`, 'unet', unet],
    [`text_encoder.text_model.${dottedText}.lora_linear_layer.down.weight`, `text_encoder.text_model.${dottedText}.lora_linear_layer.up.weight`, 'text_encoder', text],
    ['unet.mid.attn1.processor.to_q_lora.down.weight', 'unet.mid.attn1.processor.to_q_lora.up.weight', 'unet', 'mid_attn1_to_q'],
    ['mid.attn1.processor.to_out_lora.down.weight', 'mid.attn1.processor.to_out_lora.up.weight', 'unet', 'mid_attn1_to_out_0'],
    ['text_encoder.text_model.encoder.layers.3.self_attn.to_out_lora.down.weight', 'text_encoder.text_model.encoder.layers.3.self_attn.to_out_lora.up.weight', 'text_encoder', 'encoder_layers_3_self_attn_out_proj'],
  ]
  for (const [down, up, component, layer] of cases) {
    const modules = loraModules(file(pair(down, up)))
    t.match(modules, [{ key: down, component, layer, rank: 4, inputs: 6, outputs: 10, kernel: 1, scaling: { factor: 1 } }], down)
    t.equal(modules.length, 1)
  }
})

t.test('convolutions keep their kernel, and one of 1 is a matrix', async t => {
  const modules = loraModules(file({
    'lora_unet_a.lora_down.weight': [4, 6, 3, 3], 'lora_unet_a.lora_up.weight': [10, 4, 1, 1],
    'lora_unet_b.lora_down.weight': [4, 6, 1, 1], 'lora_unet_b.lora_up.weight': [10, 4, 1, 1],
  }))
  t.same(modules.map(({ kernel, inputs, down, up }) => [kernel, inputs, down.shape, up.shape]), [
    [3, 6, [4, 6, 3, 3], [10, 4]],
    [1, 6, [4, 6], [10, 4]],
  ])
})

t.test('alpha is the tensor beside the factors, or what the metadata of diffusers say', async t => {
  const [withAlpha] = loraModules(file({ ...pair('lora_unet_a.lora_down.weight', 'lora_unet_a.lora_up.weight'), 'lora_unet_a.alpha': [] }))
  t.same(withAlpha?.scaling, tensor([]))
  const keys = { ...pair('unet.x.a.lora_A.weight', 'unet.x.a.lora_B.weight'), ...pair('unet.x.ba.lora_A.weight', 'unet.x.ba.lora_B.weight') }
  const scalings = (metadata: Readonly<Record<string, unknown>>) => loraModules(file(keys, metadata)).map(({ scaling }) => scaling)
  t.same(scalings({ 'unet.lora_alpha': 2 }), [{ factor: 0.5 }, { factor: 0.5 }])
  t.same(scalings({ 'unet.lora_alpha': 2, 'unet.alpha_pattern': { a: 8 } }), [{ factor: 2 }, { factor: 0.5 }])
  t.same(scalings({ 'unet.lora_alpha': 2, 'unet.use_rslora': true }), [{ factor: 1 }, { factor: 1 }])
  t.same(scalings({ 'text_encoder.lora_alpha': 2 }), [{ factor: 1 }, { factor: 1 }])
  t.throws(() => scalings({ 'unet.lora_alpha': 'two' }), /no number for unet.lora_alpha/)
  t.throws(() => scalings({ 'unet.use_dora': true }), /ask for unet.use_dora/)
  t.throws(() => loraModules({ ...file(keys), metadata: new Map([['lora_adapter_metadata', '{']]) }), /no JSON object/)
})

t.test('what is no plain LoRA is refused by the name of its key', async t => {
  const plain = pair('lora_unet_a.lora_down.weight', 'lora_unet_a.lora_up.weight')
  const cases: readonly (readonly [Shapes, RegExp])[] = [
    [{ 'lora_unet_a.dora_scale': [10, 1] }, /"lora_unet_a.dora_scale" is of a DoRA/],
    [{ 'unet.a.lora_magnitude_vector': [10] }, /is of a DoRA/],
    [{ 'lora_unet_a.hada_w1_a': [10, 4] }, /"lora_unet_a.hada_w1_a" is of a LoHa/],
    [{ 'lora_unet_a.lokr_w1': [2, 2] }, /is of a LoKr/],
    [{ 'lora_unet_a.lora_mid.weight': [4, 4, 3, 3] }, /is of a LoCon with a middle factor/],
    [{ 'lora_unet_a.diff': [10, 6] }, /is of full differences of weights/],
    [{ 'lora_unet_a.oft_blocks': [2, 5, 5] }, /is of an OFT/],
    [{ 'lora_unet_a.a1.weight': [4, 6] }, /is of a GLoRA/],
    [{ 'lora_unet_a.on_input': [1] }, /is of an IA3/],
    [{ 'unet.a.lora_B.bias': [10] }, /is of a LoRA with biases/],
    [{ 'bundle_emb.x.string_to_param.*': [1, 6] }, /is of a bundled embedding/],
    [{ 'lora_unet_b.weight': [10, 6] }, /"lora_unet_b.weight" is none of a LoRA/],
    [{ 'lora_unet_b.lora_down.weight': [4, 6] }, /"lora_unet_b.lora_down.weight" has no counterpart: the layer's up weights/],
    [{ 'lora_unet_b.alpha': [] }, /"lora_unet_b.alpha" has no counterpart/],
    [{ 'unet.a.lora_A.weight': [4, 6] }, /"unet.a.lora_A.weight" says again what another one said/],
    [{ 'lora_unet_a.alpha': [2] }, /alpha beside its key "lora_unet_a.lora_down.weight" is not one number/],
    [{ 'lora_unet_b.lora_down.weight': [4, 6], 'lora_unet_b.lora_up.weight': [10, 5] }, /\[4, 6\] and \[10, 5\], which are no two factors/],
    [{ 'lora_unet_b.lora_down.weight': [4, 6, 3, 1], 'lora_unet_b.lora_up.weight': [10, 4, 1, 1] }, /no two factors/],
    [{ 'lora_unet_b.lora_down.weight': [4, 6], 'lora_unet_b.lora_up.weight': [10, 4, 3, 3] }, /no two factors/],
    [{ 'lora_unet_b.lora_down.weight': [0, 6], 'lora_unet_b.lora_up.weight': [10, 0] }, /no two factors/],
  ]
  for (const [keys, message] of cases) t.throws(() => loraModules(file({ ...plain, ...keys })), { name: 'WeightError', message }, String(message))
  t.throws(() => loraModules(file({})), /holds no tensor/)
  const [down, up] = ['lora_unet_a.lora_down.weight', 'lora_unet_a.lora_up.weight']
  const tensors = new Map([[down, tensor([4, 6], 'F8_E4M3')], [up, tensor([10, 4])]])
  t.throws(() => loraModules({ tensors, metadata: new Map() }), /stored as F8_E4M3, which cannot be computed with/)
})
