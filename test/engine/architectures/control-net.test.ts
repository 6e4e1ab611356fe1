import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildControlNet } from '../../../engine/architectures/control-net.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { createCudaLayers } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import type { Precision } from '../../../engine/graph/layer-context.ts'
import { openControlNet } from '../../../engine/models/open-control-net.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { buildReference, readConfig } from './build-reference.ts'
import { openUnet } from './open-unet.ts'
import { REFERENCE, readComponent, readTensors, relativeError } from './reference-tensors.ts'
import { ShapeSource } from './shape-source.ts'

const FLOAT32_TOLERANCE = 1e-4
/** As for the UNet: half precision has 11 bits, of which a network of this depth loses two or three. */
const FLOAT16_TOLERANCE = 1e-2
const NETS = ['sd1-tiny-edges', 'sd2-tiny-edges', 'sd2-tiny-shuffle', 'sdxl-tiny-edges'] as const
// The published configuration of lllyasviel/control_v11p_sd15_canny, without the keys that have diffusers' defaults.
const SD15_CONTROL_NET = { cross_attention_dim: 768 }

type Feeds = Readonly<Record<string, Tensor>>

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

function configOf(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(REFERENCE, 'control-nets', name, 'config.json'), 'utf8')) as Record<string, unknown>
}

/** Inputs of a reference ControlNet, and the maps diffusers gives for them. */
function readReference(name: string): { feeds: Feeds; maps: readonly Tensor[] } {
  const entries = Object.entries(readTensors(join(REFERENCE, 'components', `${name}.control_net.safetensors`)))
  const isMap = ([key]: readonly [string, Tensor]): boolean => key.startsWith('residual_')
  const maps = Object.fromEntries(entries.filter(isMap))
  return {
    feeds: Object.fromEntries(entries.filter(entry => !isMap(entry))),
    maps: Object.keys(maps).map((_, index) => maps[`residual_${index}`] as Tensor),
  }
}

/** The CUDA lowering with standard operators in place of the fused ones. */
function expanded(precision: Precision): LayersFactory {
  return (graph, input) => createCudaLayers(graph, input, precision, expandedOperators(graph, new Set()))
}

const LOWERINGS = [
  ['for the processor', 'cpu', undefined, FLOAT32_TOLERANCE],
  ['for CUDA in float32', 'cuda', expanded('float32'), FLOAT32_TOLERANCE],
  ['for CUDA in float16', 'cuda', expanded('float16'), FLOAT16_TOLERANCE],
] as const

for (const name of NETS) {
  for (const [title, lowering, makeLayers, tolerance] of LOWERINGS) {
    t.test(`the ControlNet ${name} lowered ${title} gives the maps diffusers gives, each row with its scale`, async t => {
      const { config, weights } = await openControlNet(join(REFERENCE, 'control-nets', name))
      const session = await runtime.open(buildControlNet(config, weights, lowering, makeLayers))
      t.same(weights.unused(), [], 'every tensor is used')
      const { feeds, maps } = readReference(name)
      const outputs = await session.run(feeds)
      t.equal(Object.keys(outputs).length, maps.length)
      for (const [index, { dims, data, dtype }] of maps.entries()) {
        // A pooled map is one token.
        const expectedDims = config['global_pool_conditions'] === true ? [dims[0] as number, 1, dims[1] as number] : dims
        const error = relativeError(outputs[`residual_${index}`], { dtype, dims: expectedDims, data } as Tensor)
        t.ok(error < tolerance, `map ${index}: the error is ${error}`)
      }
      await session.release()
    })
  }
}

t.test('a ControlNet of scale 0 leaves the UNet as it is, and one of scale 1 changes it', async t => {
  const { out_sample: plain, ...feeds } = readComponent('sd1-tiny', 'unet')
  const { projection } = await buildReference('sd1-tiny', 'unet')
  const session = await openUnet(runtime, await controlledUnet('sd1-tiny', ['sd1-tiny-edges']), projection)
  const control = { control_guide_0: guideImages(3), control_scale_0: scales(3, 13, [0, 1, 0]) }
  const { out_sample } = await session.run({ ...feeds, ...control })
  const size = out_sample!.data.length / 3
  const row = (tensor: Tensor, index: number): Tensor => ({ dtype: 'float32', dims: [size], data: (tensor.data as Float32Array).subarray(index * size, (index + 1) * size) })
  for (const index of [0, 2]) t.ok(relativeError(row(out_sample!, index), row(plain!, index)) < FLOAT32_TOLERANCE, `row ${index}`)
  t.ok(relativeError(row(out_sample!, 1), row(plain!, 1)) > 0.05, 'row 1 is controlled')
  await session.release()
})

t.test('the runtime knows every operator, attribute and type of a real CUDA graph with ControlNets', async t => {
  // As in the tests of the lowering: kernels are looked for after the graph has been checked.
  const message = /(Failed to find kernel for com\.microsoft\.|Could not find an implementation for )(NhwcConv|GroupNorm)\(1\)/
  for (const nets of [['sd2-tiny-edges', 'sd2-tiny-shuffle'], ['sd2-tiny-edges', 'sd2-tiny-edges']]) {
    await t.rejects(controlledUnet('sd2-tiny', nets, 'cuda').then(graph => runtime.open(graph)), { message })
  }
})

t.test('the published configuration gives a network of the published size', async t => {
  // Parameter count of lllyasviel/control_v11p_sd15_canny.
  const source = new ShapeSource()
  buildControlNet(SD15_CONTROL_NET, source, 'cpu')
  t.equal(source.parameters, 361_279_120)
})

t.test('a ControlNet for another UNet is refused with its number', async t => {
  const refused = (nets: readonly string[], index: number, message: RegExp) => async () => {
    await t.rejects(controlledUnet('sd1-tiny', nets), { name: 'ControlNetMisfitError', index, message })
  }
  await refused(['sd2-tiny-edges'], 0, /prompts of width 48, and the UNet those of width 32/)()
  await refused(['sd1-tiny-edges', 'sd2-tiny-edges'], 1, /prompts of width 48/)()
  const weights = new ShapeSource()
  const controlNets = [{ config: { ...configOf('sd1-tiny-edges'), block_out_channels: [16, 16, 24, 24] }, weights }]
  t.throws(() => buildUnet(readConfig('sd1-tiny', 'unet'), weights, 'cpu', undefined, controlNets), { index: 0, message: /other sizes/ })
})

t.test('a configuration value of a ControlNet that is not supported is refused by name', async t => {
  for (const [key, value] of [
    ['conditioning_channels', 4], ['controlnet_conditioning_channel_order', 'grb'], ['mid_block_type', null], ['act_fn', 'gelu'],
    ['encoder_hid_dim_type', 'text_proj'], ['conditioning_embedding_out_channels', []],
  ] as const) {
    const config = { ...configOf('sd1-tiny-edges'), [key]: value }
    t.throws(() => buildControlNet(config, new ShapeSource(), 'cpu'), { name: 'ConfigError', key: `controlnet.${key}` }, key)
  }
})

/** A reference model's UNet with reference ControlNets in its graph. */
async function controlledUnet(model: string, nets: readonly string[], lowering: 'cpu' | 'cuda' = 'cpu') {
  const { weights } = await buildReference(model, 'unet')
  const controlNets = await Promise.all(nets.map(name => openControlNet(join(REFERENCE, 'control-nets', name))))
  return buildUnet(readConfig(model, 'unet'), weights, lowering, undefined, controlNets)
}

/** Pictures of 128x64, different in each row. */
function guideImages(rows: number): Tensor {
  const data = Uint8Array.from({ length: rows * 64 * 128 * 3 }, (_, index) => (index * 7919 + (index >> 6)) % 256)
  return { dtype: 'uint8', dims: [rows, 64, 128, 3], data }
}

function scales(rows: number, maps: number, values: readonly number[]): Tensor {
  return { dtype: 'float32', dims: [rows, maps], data: Float32Array.from({ length: rows * maps }, (_, index) => values[Math.floor(index / maps)] ?? 0) }
}
