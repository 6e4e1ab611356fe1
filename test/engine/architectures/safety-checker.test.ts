import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildSafetyChecker } from '../../../engine/architectures/safety-checker.ts'
import { createCudaLayers } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import type { Lowering } from '../../../engine/graph/model-graph.ts'
import type { ModelSession } from '../../../engine/runtime/model-session.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { openClipVisionWeights } from '../../../engine/weights/clip-vision-weights.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { REFERENCE, readTensors, sliceRows } from './reference-tensors.ts'
import { ShapeSource } from './shape-source.ts'

const folder = join(REFERENCE, 'safety-checker', 'tiny')
const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
// Pictures that are like a concept, one that is so with the adjustment only, one that would be so with it, and one that exceeds a
// threshold by what rounding takes away.
const { flag, ...feeds } = readTensors(join(REFERENCE, 'safety-checker', 'flags.safetensors'))
const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

async function open(lowering: Lowering = 'cpu', makeLayers?: LayersFactory): Promise<ModelSession> {
  const weights = await openClipVisionWeights(folder, folder, 'safety checker')
  const graph = buildSafetyChecker(config, weights, lowering, makeLayers)
  t.same(weights.unused(), [], 'every tensor is used')
  return runtime.open(graph)
}

t.test('the safety checker flags what diffusers flags', async t => {
  const session = await open()
  const flags = (await session.run(feeds)).flag as Tensor<'float32'>
  t.same([...flags.data], [...flag!.data])
  t.same([...new Set(flags.data)].sort(), [0, 1], 'and not all alike')
  for (let row = 0; row < flags.data.length; row++) {
    const alone = await session.run({ pixel_values: sliceRows(feeds.pixel_values!, row, row + 1) })
    t.equal(alone.flag!.data[0], flags.data[row], `row ${row} alone`)
  }
  await session.release()
})

t.test('lowered for CUDA it flags the same', async t => {
  const session = await open('cuda', (graph, input, _lowering, precision) => {
    t.equal(precision, 'float32')
    return createCudaLayers(graph, input, precision, expandedOperators(graph, new Set()))
  })
  t.same([...(await session.run(feeds)).flag!.data], [...flag!.data])
  await session.release()
})

t.test('a picture that gives no number is not let pass', async t => {
  const session = await open()
  const pixels = feeds.pixel_values as Tensor<'float32'>
  const broken = Float32Array.from(pixels.data)
  broken[5] = NaN
  const flags = (await session.run({ pixel_values: { ...pixels, data: broken } })).flag!.data
  t.ok(Number.isNaN(flags[0]))
  t.same([...flags].slice(1), [...flag!.data].slice(1), 'the others are judged as before')
  await session.release()
})

t.test('the published configuration gives a network of the published size', async t => {
  const published = {
    projection_dim: 768,
    vision_config: { hidden_size: 1024, intermediate_size: 4096, num_attention_heads: 16, num_hidden_layers: 24, patch_size: 14 },
  }
  const source = new ShapeSource()
  buildSafetyChecker(published, source, 'cpu')
  // CLIP ViT-L/14's 303,179,776, the projection of 1024 to 768, and 20 concepts with a threshold each.
  t.equal(source.parameters, 303_179_776 + 1024 * 768 + 20 * 769)
})

t.test('a configuration value that is not supported is refused by name', async t => {
  const vision = config['vision_config'] as Record<string, unknown>
  const refused: readonly (readonly [string, unknown])[] = [
    ['hidden_act', 'gelu_new'], ['num_attention_heads', 5], ['patch_size', 7], ['num_channels', 4], ['image_size', '32'],
  ]
  for (const [key, value] of refused) {
    const changed = { ...config, vision_config: { ...vision, [key]: value } }
    t.throws(() => buildSafetyChecker(changed, new ShapeSource(), 'cpu'), { name: 'ConfigError', key: `safety_checker.vision_config.${key}` })
  }
  t.throws(() => buildSafetyChecker({ vision_config: 5 }, new ShapeSource(), 'cpu'), { name: 'ConfigError', key: 'safety_checker.vision_config' })
})
