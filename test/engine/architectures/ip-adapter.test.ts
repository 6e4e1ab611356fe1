import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readImageProjection } from '../../../engine/architectures/image-projection.ts'
import type { ImageProjection } from '../../../engine/architectures/image-projection.ts'
import { buildImageEncoder } from '../../../engine/architectures/image-encoder.ts'
import { buildImagePrompt } from '../../../engine/architectures/image-prompt.ts'
import type { IpAdapterSource } from '../../../engine/architectures/ip-adapter.ts'
import { buildPromptProjection } from '../../../engine/architectures/prompt-projection.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { createCudaLayers } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import type { Lowering } from '../../../engine/graph/model-graph.ts'
import { openControlNet } from '../../../engine/models/open-control-net.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { openClipVisionWeights } from '../../../engine/weights/clip-vision-weights.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import { ipAdapterWeights } from '../../../engine/weights/ip-adapter-weights.ts'
import { readSafetensors } from '../../../engine/weights/safetensors.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { buildReference, readConfig } from './build-reference.ts'
import { openUnet as openUnetSession } from './open-unet.ts'
import { REFERENCE, readTensors, relativeError, sliceRows } from './reference-tensors.ts'

const TOLERANCE = 1e-4
const FLOAT16_TOLERANCE = 1e-2
const ADAPTERS = ['sd1-plain', 'sd1-plus'] as const
const folder = join(REFERENCE, 'ip-adapters')
const encoderFolder = join(folder, 'image_encoder')
const tensors = readTensors(join(REFERENCE, 'components', 'ip-adapters.safetensors'))
const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

const openAdapter = async (name: string) => ipAdapterWeights((await readSafetensors(join(folder, `${name}.safetensors`))).tensors)

/** The CUDA lowering with standard operators in place of the fused ones. */
function expanded(precision: 'float32' | 'float16'): LayersFactory {
  return (graph, input) => createCudaLayers(graph, input, precision, expandedOperators(graph, new Set()))
}

/** Multiplies each row with its entry. */
function scaleRows({ dims, data }: Tensor, factors: Tensor): Tensor {
  const size = data.length / (dims[0] ?? 1)
  return { dtype: 'float32', dims, data: Float32Array.from(data as Float32Array, (value, i) => value * Number(factors.data[Math.floor(i / size)])) }
}

/** What an adapter makes of pictures: the image encoder's part and its own, each in a graph. Where there is no picture one takes zeros, the other a picture of zeros. */
async function imageStates(name: string, lowering: Lowering = 'cpu', makeLayers?: LayersFactory): Promise<Tensor | undefined> {
  const { projection: projectionWeights, strangers } = await openAdapter(name)
  const weights = await openClipVisionWeights(encoderFolder, encoderFolder, 'image encoder')
  const config = JSON.parse(readFileSync(join(encoderFolder, 'config.json'), 'utf8')) as Record<string, unknown>
  const projection = readImageProjection(projectionWeights) as ImageProjection
  const encoder = await runtime.open(buildImageEncoder(config, weights, lowering, makeLayers))
  const session = await runtime.open(buildImagePrompt(projection, projectionWeights, lowering, makeLayers))
  t.same([...projectionWeights.unused(), ...weights.unused(), ...strangers], [], 'every tensor is used')
  const { pixel_values: pixels, presence } = tensors as Record<string, Tensor>
  const isPlain = projection.type === 'plain'
  const seen = await encoder.run({ pixel_values: isPlain ? pixels! : scaleRows(pixels!, presence!) })
  const features = isPlain ? scaleRows(seen.image_embeds!, presence!) : seen.image_patches!
  const { image_states: states } = await session.run({ image_features: features })
  await Promise.all([encoder.release(), session.release()])
  return states
}

for (const name of ADAPTERS) {
  t.test(`the image prompt of ${name} is what diffusers makes of a picture, and of none`, async t => {
    const error = relativeError(await imageStates(name), tensors[`${name}.image_states`])
    t.ok(error < TOLERANCE, `the error is ${error}`)
  })

  for (const [precision, tolerance] of [['float32', TOLERANCE], ['float16', FLOAT16_TOLERANCE]] as const) {
    t.test(`the image prompt of ${name} lowered for CUDA in ${precision} is the same`, async t => {
      const error = relativeError(await imageStates(name, 'cuda', expanded(precision)), tensors[`${name}.image_states`])
      t.ok(error < tolerance, `the error is ${error}`)
    })
  }
}

const feeds = Object.fromEntries(Object.entries(tensors).flatMap(([name, tensor]) => {
  return name.startsWith('unet.') && name !== 'unet.out_sample' ? [[name.slice('unet.'.length), tensor]] : []
}))

async function openUnet(lowering: Lowering = 'cpu', makeLayers?: LayersFactory, nets: readonly string[] = []) {
  const weights = await openFolderWeights(join(REFERENCE, 'models', 'sd1-tiny'), 'unet')
  const adapters = await Promise.all(ADAPTERS.map(async (name): Promise<IpAdapterSource> => {
    const { attention, projection } = await openAdapter(name)
    const { tokens, width } = readImageProjection(projection) as ImageProjection
    return { tokens, width, weights: attention }
  }))
  const controlNets = await Promise.all(nets.map((name) => openControlNet(join(REFERENCE, 'control-nets', name))))
  const graph = buildUnet(readConfig('sd1-tiny', 'unet'), weights, lowering, makeLayers, controlNets, adapters)
  for (const { weights: each } of adapters) t.same(each.unused(), [], 'every tensor of the adapter is used')
  return openUnetSession(runtime, graph, buildPromptProjection(readConfig('sd1-tiny', 'unet'), weights, lowering, makeLayers))
}

t.test('a UNet with two IP-Adapters gives what diffusers gives, each row with scales of its own', async t => {
  const session = await openUnet()
  const { out_sample: out } = await session.run(feeds)
  const error = relativeError(out, tensors['unet.out_sample'])
  t.ok(error < TOLERANCE, `the error is ${error}`)
  for (let row = 0; row < 3; row++) {
    const alone = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, sliceRows(tensor, row, row + 1)])))
    t.ok(relativeError(alone.out_sample, sliceRows(out!, row, row + 1)) < 1e-5, `row ${row} alone`)
  }
  await session.release()
})

t.test('lowered for CUDA it gives the same', async t => {
  const session = await openUnet('cuda', expanded('float32'))
  const error = relativeError((await session.run(feeds)).out_sample, tensors['unet.out_sample'])
  t.ok(error < TOLERANCE, `the error is ${error}`)
  await session.release()
})

t.test('with a ControlNet in the same graph both lowerings give the same, and a ControlNet of scale zero changes nothing', async t => {
  const guide = Uint8Array.from({ length: 3 * 64 * 128 * 3 }, (_, i) => (i * 7919) % 256)
  const control = (scale: number): Readonly<Record<string, Tensor>> => ({
    control_guide_0: { dtype: 'uint8', dims: [3, 64, 128, 3], data: guide },
    control_scale_0: { dtype: 'float32', dims: [3, 13], data: new Float32Array(3 * 13).fill(scale) },
  })
  const sessions = [await openUnet('cpu', undefined, ['sd1-tiny-edges']), await openUnet('cuda', expanded('float32'), ['sd1-tiny-edges'])] as const
  const [cpu, cuda] = await Promise.all(sessions.map(async session => (await session.run({ ...feeds, ...control(1) })).out_sample))
  t.ok(relativeError(cuda, cpu) < TOLERANCE)
  t.ok(relativeError(cpu, tensors['unet.out_sample']) > 0.05, 'the ControlNet has its say')
  const { out_sample: off } = await sessions[0].run({ ...feeds, ...control(0) })
  t.ok(relativeError(off, tensors['unet.out_sample']) < TOLERANCE)
  await Promise.all(sessions.map(session => session.release()))
})

t.test('an adapter whose scale is zero changes nothing at all', async t => {
  const session = await openUnet()
  const { graph, projection } = await buildReference('sd1-tiny', 'unet')
  const plain = await openUnetSession(runtime, graph, projection)
  const off = { dtype: 'float32', dims: [3], data: new Float32Array(3) } as const
  const { out_sample: out } = await session.run({ ...feeds, image_scale_0: off, image_scale_1: off })
  const { sample, timestep, encoder_hidden_states: states, encoder_attention_bias: bias } = feeds
  const expected = await plain.run({ sample: sample!, timestep: timestep!, encoder_hidden_states: states!, encoder_attention_bias: bias! })
  t.same(out, expected.out_sample)
  await Promise.all([session.release(), plain.release()])
})

t.test('an adapter for another UNet is refused with the reason', async t => {
  const { attention, projection } = await openAdapter('sd1-plain')
  const { tokens, width } = readImageProjection(projection) as ImageProjection
  const build = async (model: string, source: IpAdapterSource) =>
    buildUnet(readConfig(model, 'unet'), await openFolderWeights(join(REFERENCE, 'models', model), 'unet'), 'cpu', undefined, [], [source])
  await t.rejects(build('sd2-tiny', { tokens, width, weights: attention }), { name: 'IpAdapterMisfitError', index: 0, message: /tokens of width 32/ })
  await t.rejects(build('sd2-tiny', { tokens, width: 48, weights: attention }), { name: 'IpAdapterMisfitError', message: /another number of attention blocks/ })
})
