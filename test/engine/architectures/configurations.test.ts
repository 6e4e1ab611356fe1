import t from 'tap'
import { buildClipText } from '../../../engine/architectures/clip-text.ts'
import { ConfigError } from '../../../engine/architectures/config-error.ts'
import { buildPromptProjection } from '../../../engine/architectures/prompt-projection.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { parseUnetConfig } from '../../../engine/architectures/unet-config.ts'
import { buildVaeDecoder } from '../../../engine/architectures/vae-decoder.ts'
import { parseVaeConfig } from '../../../engine/architectures/vae-config.ts'
import type { TensorSpec } from '../../../engine/graph/model-graph.ts'
import { BUILDERS, readConfig } from './build-reference.ts'
import type { Component } from './build-reference.ts'
import { ShapeSource } from './shape-source.ts'

// The published configuration of Stable Diffusion 1.5's UNet, without the keys that have diffusers' defaults.
const SD15_UNET = { cross_attention_dim: 768, attention_head_dim: 8, layers_per_block: 2, block_out_channels: [320, 640, 1280, 1280] }
const SD21_UNET = { cross_attention_dim: 1024, attention_head_dim: [5, 10, 20, 20], use_linear_projection: true }
const SD15_TEXT = { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, num_hidden_layers: 12, hidden_act: 'quick_gelu' }

t.test('the published configurations give networks of the published sizes', async t => {
  // Parameter counts of the checkpoints runwayml/stable-diffusion-v1-5 and stabilityai/stable-diffusion-2-1.
  for (const [config, parameters] of [[SD15_UNET, 859_520_964], [SD21_UNET, 865_910_724]] as const) {
    const source = new ShapeSource()
    buildUnet(config, source, 'cpu')
    buildPromptProjection(config, source, 'cpu')
    t.equal(source.parameters, parameters)
  }
  const source = new ShapeSource()
  buildClipText(SD15_TEXT, source, 'cpu')
  t.equal(source.parameters, 123_060_480)
})

t.test('both lowerings ask for the same weights; the CUDA one has those for keys and values of the prompt in the UNet', async t => {
  const [cpu, cuda] = (['cpu', 'cuda'] as const).map(lowering => {
    const source = new ShapeSource()
    const unet = buildUnet(SD21_UNET, source, lowering)
    return { unet, own: new Set(source.shapes.keys()), projection: buildPromptProjection(SD21_UNET, source, lowering), source }
  })
  for (const { source, unet } of [cpu!, cuda!]) {
    t.equal(source.parameters, 865_910_724)
    t.same(unet.outputs, [{ name: 'out_sample', dtype: 'float32', dims: ['rows', 4, 'h', 'w'] }])
  }
  const shared = [['sample', 'float32', ['rows', 4, 'h', 'w']], ['timestep', 'float32', ['rows']], ['encoder_attention_bias', 'float32', ['rows', 1, 1, 'tokens']]]
  const states = ['encoder_hidden_states', 'float32', ['rows', 'tokens', 1024]]
  const entriesOf = (specs: readonly TensorSpec[] = []) => specs.map(({ name, dtype, dims }) => [name, dtype, dims])
  t.same(entriesOf(cuda?.unet.inputs), [...shared, states])
  t.equal(cuda?.projection, undefined)
  t.same(entriesOf(cpu?.projection?.inputs), [states])
  const sorted = (entries: readonly unknown[]) => entries.map(entry => JSON.stringify(entry)).sort()
  t.same(sorted(entriesOf(cpu?.unet.inputs)), sorted([...shared, ...entriesOf(cpu?.projection?.outputs)]), 'what one gives the other takes')
  t.equal(cpu?.projection?.outputs.length, 2 * 16)
  t.same(entriesOf(cpu?.projection?.outputs).slice(0, 2), ['keys', 'values'].map(name => [`down_blocks.0.attentions.0.transformer_blocks.0.attn2.${name}`, 'float32', ['rows', 5, 'tokens', 64]]))
  t.notOk([...cpu?.own ?? []].some(name => /attn2\.to_[kv]/.test(name)), 'no weight is in both graphs')
})

t.test('a text encoder gives as many skips as it has layers', async t => {
  for (const [layers, names] of [[12, 3], [1, 2]] as const) {
    const { outputs } = buildClipText({ ...SD15_TEXT, num_hidden_layers: layers }, new ShapeSource(), 'cpu')
    t.equal(outputs.length, names)
  }
})

const REFUSED: readonly [Component, string, unknown][] = [
  ['unet', 'act_fn', 'gelu'], ['unet', 'center_input_sample', true], ['unet', 'downsample_padding', 0],
  ['unet', 'mid_block_scale_factor', 2],
  ['unet', 'only_cross_attention', true], ['unet', 'only_cross_attention', [false, true]], ['unet', 'dual_cross_attention', true],
  ['unet', 'resnet_time_scale_shift', 'scale_shift'], ['unet', 'resnet_skip_time_act', true], ['unet', 'resnet_out_scale_factor', 2],
  ['unet', 'time_embedding_type', 'fourier'], ['unet', 'attention_type', 'gated'], ['unet', 'class_embed_type', 'timestep'],
  ['unet', 'addition_embed_type', 'image'], ['unet', 'addition_time_embed_dim', 256], ['unet', 'projection_class_embeddings_input_dim', 64],
  ['unet', 'encoder_hid_dim_type', 'text_proj'], ['unet', 'num_class_embeds', 10],
  ['unet', 'time_cond_proj_dim', 256], ['unet', 'cross_attention_norm', 'layer_norm'], ['unet', 'timestep_post_act', 'silu'],
  ['unet', 'down_block_types', ['AttnDownBlock2D']], ['unet', 'up_block_types', ['UpBlock2D']],
  ['unet', 'mid_block_type', 'UNetMidBlock2DSimpleCrossAttn'],
  ['unet', 'attention_head_dim', 7], ['unet', 'num_attention_heads', 8], ['unet', 'attention_head_dim', [8, 8]],
  ['unet', 'norm_num_groups', 5], ['unet', 'layers_per_block', 0],
  ['unet', 'in_channels', '4'], ['unet', 'cross_attention_dim', [32, 32, 32, 48]], ['unet', 'conv_in_kernel', 2],
  ['unet', 'norm_eps', 'small'],
  ['vae', 'act_fn', 'relu'], ['vae', 'latents_mean', [0]], ['vae', 'up_block_types', ['AttnUpDecoderBlock2D']], ['vae', 'out_channels', 4],
  ['vae', 'scaling_factor', 0], ['vae', 'norm_num_groups', 3], ['vae', 'mid_block_add_attention', 'yes'],
  ['text_encoder', 'hidden_act', 'gelu_new'], ['text_encoder', 'num_attention_heads', 5], ['text_encoder', 'num_hidden_layers', -1],
]

t.test('a configuration value that is not supported is refused by name', async t => {
  for (const [component, key, value] of REFUSED) {
    const config = { ...readConfig('sd1-tiny', component), [key]: value }
    const expected = { name: 'ConfigError', key: `${component}.${key}` }
    t.throws(() => BUILDERS[component](config, new ShapeSource(), 'cpu'), expected, `${key} = ${JSON.stringify(value)}`)
  }
})

t.test('a message names the key and the value', async t => {
  try {
    buildVaeDecoder({ ...readConfig('sd1-tiny', 'vae'), act_fn: 'relu' }, new ShapeSource(), 'cpu')
    t.fail('it was accepted')
  } catch (error) {
    t.ok(error instanceof ConfigError)
    t.match((error as Error).message, 'the configuration value vae.act_fn is not supported as "relu" (supported: silu, swish)')
  }
})

t.test('missing values are those of diffusers', async t => {
  const unet = parseUnetConfig({})
  t.same(unet.down.map(level => [level.hasAttention, level.channels, level.layers, level.heads]), [
    [true, 320, 2, 8], [true, 640, 2, 8], [true, 1280, 2, 8], [false, 1280, 2, 8],
  ])
  t.equal(unet.contextWidth, 1280)
  t.equal(unet.timeWidth, 1280)
  t.equal(unet.middle?.hasAttention, true)
  t.equal(parseUnetConfig({ mid_block_type: null }).middle, undefined)
  t.equal(parseUnetConfig({ mid_block_type: 'UNetMidBlock2D' }).middle?.hasAttention, false)
  t.match(parseVaeConfig({}), {
    channels: [64], layers: 1, groups: 32, scalingFactor: 0.18215, shiftFactor: 0, hasPostQuantConv: true, latentFactor: 1,
  })
})
