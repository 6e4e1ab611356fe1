import t from 'tap'
import { createCudaLayers, layersWith } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import { loraInputsOf, loraTensors } from '../../../engine/graph/lora-inputs.ts'
import type { Precision } from '../../../engine/graph/layer-context.ts'
import type { TensorSpec } from '../../../engine/graph/model-graph.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { buildReference } from './build-reference.ts'
import { openUnet } from './open-unet.ts'
import { readComponent, relativeError } from './reference-tensors.ts'

// That LoRAs compute what diffusers and peft compute is proven on the processor (lora-pictures.test.ts). Here the CUDA
// lowering, with its fused operators expanded and its ranks filled up, must give the same for every layer at once.

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const RANK = 3

function namesOf(inputs: readonly TensorSpec[]): readonly string[] {
  return inputs.map(({ name }) => name).sort()
}

/** Feeds of every LoRA input, of `rank` ranks of which all beyond the first are zeros. */
function loraFeeds(inputs: readonly TensorSpec[], rows: number, rank: number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {}
  for (const layer of loraInputsOf(inputs)) {
    const [down, up, scale] = loraTensors(layer)
    const tensor = (name: string, dims: readonly number[], value: (index: number) => number): void => {
      feeds[name] = { dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => value(index)) }
    }
    const patch = layer.inputs * layer.kernel ** 2
    tensor(down.name, [rank, ...(down.dims.slice(1) as number[])], i => (i < RANK * patch ? Math.sin(i * 12.9898) / Math.sqrt(patch) : 0))
    tensor(up.name, [rank, layer.outputs], i => (i < RANK * layer.outputs ? 0.2 * Math.cos(i * 78.233) : 0))
    tensor(scale.name, [rows, 1, rank], i => Math.floor(i / rank) - 0.5)
  }
  return feeds
}

// Graphs with so many inputs take long to open where others compute too.
t.setTimeout(180_000)

// These two have all kinds of layers that there are, and open in half the time of the third.
for (const model of ['sd2-tiny', 'mixed-tiny'] as const) {
  const cases: readonly (readonly [Precision, number])[] = model === 'sd2-tiny' ? [['float32', 1e-4], ['float16', 2e-2]] : [['float32', 1e-4]]
  t.test(`every layer of ${model}'s UNet takes LoRAs lowered for CUDA as it does for the processor`, async t => {
    const { out_sample: without, ...feeds } = readComponent(model, 'unet')
    const rows = feeds.timestep?.dims[0] as number
    const { graph, projection } = await buildReference(model, 'unet', 'cpu', layersWith({ takesLora: () => true }))
    const session = await openUnet(runtime, graph, projection)
    const expected = (await session.run({ ...feeds, ...loraFeeds(session.inputs, rows, RANK) })).out_sample
    t.ok(relativeError(expected, without) > 0.1, 'they matter')
    const none = (await session.run({ ...feeds, ...loraFeeds(session.inputs, rows, 0) })).out_sample
    t.ok(relativeError(none, without) < 1e-4, 'and without any the network is as it was')
    for (const [precision, tolerance] of cases) {
      const makeLayers: LayersFactory = (builder, input) => createCudaLayers(builder, input, precision, expandedOperators(builder), () => true)
      const lowered = await buildReference(model, 'unet', 'cuda', makeLayers)
      t.same(namesOf(lowered.graph.inputs), namesOf(session.inputs))
      const cuda = await runtime.open(lowered.graph)
      const error = relativeError((await cuda.run({ ...feeds, ...loraFeeds(session.inputs, rows, 8) })).out_sample, expected)
      t.ok(error < tolerance, `${precision}: the error is ${error}`)
      await cuda.release()
    }
    await session.release()
  })

  t.test(`the runtime knows every operator of ${model}'s real CUDA graph with LoRAs`, async t => {
    const { graph } = await buildReference(model, 'unet', 'cuda', layersWith({ takesLora: () => true }))
    await t.rejects(runtime.open(graph), { message: /(Failed to find kernel for com\.microsoft\.|Could not find an implementation for )(NhwcConv|GroupNorm)\(1\)/ })
  })
}
