import { join } from 'node:path'
import t from 'tap'
import { integerLayers } from '../../../engine/architectures/integer-layers.ts'
import { buildUnet } from '../../../engine/architectures/unet.ts'
import { layersWith } from '../../../engine/graph/create-layers.ts'
import { denoiserBytes } from '../../../engine/models/held-bytes.ts'
import { openControlNet } from '../../../engine/models/open-control-net.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { openFolderWeights } from '../../../engine/weights/folder-weights.ts'
import { buildReference, readConfig } from './build-reference.ts'
import { openUnet } from './open-unet.ts'
import { REFERENCE, readTensors, relativeError, sliceRows } from './reference-tensors.ts'

// What diffusers gives with PyTorch's rounding in the transformers; tools/reference/int8.py makes it, and counts the layers.

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const makeLayers = layersWith({ isInteger: integerLayers('int8') })

const LAYERS = { 'sd1-tiny': 192, 'sd2-tiny': 120, 'sdxl-tiny': 124 } as const
const ROWS = 12
/** What is left of float32 rounding differently in a row. */
const SAME = 1e-5

for (const [model, layers] of Object.entries(LAYERS)) {
  t.test(`the UNet of ${model} in int8 gives what diffusers gives with the same layers rounded`, async t => {
    const { out_sample: expected, plain, ...feeds } = readTensors(join(REFERENCE, 'int8', `${model}.unet.safetensors`))
    const { graph, projection } = await buildReference(model, 'unet', 'cpu', makeLayers)
    const both = [graph, projection!].map(each => Buffer.from(each.encode()).toString('latin1')).join()
    t.equal(both.match(/MatMulIntegerToFloat(?!_\d)/g)?.length, layers)
    const session = await openUnet(runtime, graph, projection)
    const { out_sample } = await session.run(feeds)
    const row = (tensor: Tensor | undefined, index: number): Tensor => sliceRows(tensor as Tensor, index, index + 1)
    const errors = Array.from({ length: ROWS }, (_, index) => relativeError(row(out_sample, index), row(expected, index)))
    const rounding = Array.from({ length: ROWS }, (_, index) => relativeError(row(expected, index), row(plain, index)))
    t.ok(rounding.every(error => error > 100 * SAME), 'rounding is seen in every row')
    // An input within float32's error of the middle of two steps may go to either, and all behind it follows. A mistake leaves no row the same.
    t.ok(errors.filter(error => error < SAME).length >= ROWS / 4, errors.map(error => error.toExponential(1)).join(' '))
    const alone = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, row(tensor, 7)])))
    t.ok(relativeError(alone.out_sample, row(out_sample, 7)) === 0, 'a row alone is as among others')
    await session.release()
  })
}

t.test('ControlNets in the graph of a UNet compute in int8 too', async t => {
  const model = 'sd1-tiny'
  const { config, weights } = await openControlNet(join(REFERENCE, 'control-nets', 'sd1-tiny-edges'), undefined)
  const source = await openFolderWeights(join(REFERENCE, 'models', model), 'unet')
  const graph = buildUnet(readConfig(model, 'unet'), source, 'cpu', makeLayers, [{ config, weights }])
  const text = Buffer.from(graph.encode()).toString('latin1')
  t.ok(text.match(/control_net_0\/[\w./]*MatMulIntegerToFloat_\d+:0/))
})

t.test('the weights budget counts a rounded weight as one byte, and four of all others', async t => {
  const source = await openFolderWeights(join(REFERENCE, 'models', 'sd1-tiny'), 'unet')
  buildUnet(readConfig('sd1-tiny', 'unet'), source, 'cpu')
  const sizes = [...source.used()].map(([name, { shape }]) => ({ isRounded: /attentions/.test(name) && shape.length > 1, size: shape.reduce((a, b) => a * b, 1) }))
  t.equal(denoiserBytes(source.used(), 'cpu', 'int8'), sizes.reduce((sum, { isRounded, size }) => sum + size * (isRounded ? 1 : 4), 0))
  t.equal(denoiserBytes(source.used(), 'cpu', 'default'), sizes.reduce((sum, { size }) => sum + size * 4, 0))
})
