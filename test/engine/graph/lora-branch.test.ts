import t from 'tap'
import { createCudaLayers, createLayers, layersWith } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import { loraInputsOf, loraTensors } from '../../../engine/graph/lora-inputs.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import type { WeightRef } from '../../../engine/weights/weight-source.ts'
import { relativeError, sliceRows } from '../architectures/reference-tensors.ts'
import { writeWeight } from '../architectures/shape-source.ts'
import { expandedOperators } from './expanded-operators.ts'

// What a LoRA branch computes must be what the layer computes with weights into which the LoRA was merged.

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

interface Kind {
  readonly title: string
  readonly inputs: number
  readonly outputs: number
  readonly kernel: number
  readonly stride?: 1 | 2
  readonly isGeglu?: boolean
  /** Channels of the result, where they are not the layer's outputs. */
  readonly results?: number
}

const KINDS: readonly Kind[] = [
  { title: 'a linear layer', inputs: 6, outputs: 10, kernel: 0 },
  { title: 'a gated feed-forward', inputs: 4, outputs: 16, kernel: 0, isGeglu: true, results: 8 },
  { title: 'a gated feed-forward of a width that is fused on CUDA', inputs: 4, outputs: 2560, kernel: 0, isGeglu: true, results: 1280 },
  { title: 'a convolution', inputs: 6, outputs: 8, kernel: 3 },
  { title: 'a convolution of stride 2', inputs: 6, outputs: 8, kernel: 3, stride: 2 },
  { title: 'a convolution with a kernel of 1', inputs: 6, outputs: 8, kernel: 1 },
]
const SCALES = [[0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [-2.5, -2.5, 0.5, 0.5, 0.5]] as const
const RANK = 5
const SIZE = 4

function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin((index + seed * 31) * 12.9898) * 0.7)
}

function draw({ inputs, outputs, kernel, stride = 1, isGeglu, results = outputs }: Kind, weight: WeightRef, bias: WeightRef, makeLayers: LayersFactory) {
  const graph = new GraphBuilder('layer')
  const x = graph.input('x', 'float32', ['rows', inputs, 'h', 'w'])
  const layers = makeLayers(graph, x, 'cpu', 'float32')
  const weights = { name: 'layer', weight, bias }
  const map = layers.features(x, inputs)
  if (kernel > 0) graph.output('y', 'float32', ['rows', results, 'h2', 'w2'], layers.toNchw(layers.conv(map, weights, stride)))
  else {
    const tokens = layers.toTokens(map)
    graph.output('y', 'float32', ['rows', 'tokens', results], layers.fromTokens(isGeglu ? layers.geglu(tokens, weights) : layers.linear(tokens, weights)))
  }
  return graph.build()
}

/** W + Σ over r of scale · up[r] ⊗ down[r]. */
function merge(weights: Float32Array, down: Float32Array, up: Float32Array, scale: readonly number[], outputs: number): Float32Array {
  const size = weights.length / outputs
  return weights.map((value, at) => {
    const [out, index] = [Math.floor(at / size), at % size]
    return scale.reduce((sum, each, r) => sum + each * (up[r * outputs + out] as number) * (down[r * size + index] as number), value)
  })
}

for (const kind of KINDS) {
  const { inputs, outputs, kernel } = kind
  const shape = kernel > 0 ? [outputs, inputs, kernel, kernel] : [outputs, inputs]
  const size = inputs * Math.max(1, kernel * kernel)
  const [weights, down, up] = [numbers(outputs * size, 1), numbers(RANK * size, 2), numbers(RANK * outputs, 3)]
  const x: Tensor = { dtype: 'float32', dims: [SCALES.length, inputs, SIZE, SIZE], data: numbers(SCALES.length * inputs * SIZE * SIZE, 4) }
  const layer = { name: 'layer', inputs, outputs, kernel: Math.max(1, kernel) }
  const [downName, upName, scaleName] = loraTensors(layer).map(({ name }) => name) as [string, string, string]

  function feeds(rank: number): Record<string, Tensor> {
    return {
      x,
      [downName]: { dtype: 'float32', dims: [rank, inputs, ...(kernel > 1 ? [kernel, kernel] : [])], data: down.subarray(0, rank * size) },
      [upName]: { dtype: 'float32', dims: [rank, outputs], data: up.subarray(0, rank * outputs) },
      [scaleName]: { dtype: 'float32', dims: [SCALES.length, 1, rank], data: Float32Array.from(SCALES.flatMap(row => row.slice(0, rank))) },
    }
  }

  const lowerings: readonly (readonly [string, LayersFactory])[] = [
    ['the processor', layersWith({ takesLora: () => true })],
    ['CUDA', (graph, input) => createCudaLayers(graph, input, 'float32', expandedOperators(graph), () => true)],
  ]
  for (const [device, makeLayers] of lowerings) {
    t.test(`${kind.title} lowered for ${device} gives each row what merged weights give`, async t => {
      const { ref: bias, remove: removeBias } = writeWeight([outputs], numbers(outputs, 5))
      const { ref, remove } = writeWeight(shape, weights)
      t.teardown(() => { remove(); removeBias() })
      const graph = draw(kind, ref, bias, makeLayers)
      t.same(loraInputsOf(graph.inputs), [{ ...layer, down: downName, up: upName, scale: scaleName }])
      const session = await runtime.open(graph)
      const { y } = await session.run(feeds(RANK))
      for (const [row, scale] of SCALES.entries()) {
        const merged = writeWeight(shape, merge(weights, down, up, scale, outputs))
        const plain = await runtime.open(draw(kind, merged.ref, bias, createLayers))
        const expected = await plain.run({ x: sliceRows(x, row, row + 1) })
        const error = relativeError(sliceRows(y as Tensor, row, row + 1), expected.y)
        t.ok(error < 2e-6, `row ${row}: the error is ${error}`)
        await plain.release()
        merged.remove()
      }
      // Memory is dirty now, so what is not written would be seen.
      const plain = await runtime.open(draw(kind, ref, bias, createLayers))
      const error = relativeError((await session.run(feeds(0))).y, (await plain.run({ x })).y)
      t.ok(error < 1e-6, `without any rank: the error is ${error}`)
      await Promise.all([session.release(), plain.release()])
    })
  }
}

t.test('a layer that takes no LoRA has no inputs for one', async t => {
  const { ref, remove } = writeWeight([8, 6], numbers(48, 1))
  t.teardown(remove)
  const graph = draw(KINDS[0] as Kind, ref, ref, layersWith({ takesLora: layer => layer !== 'layer' }))
  t.same(graph.inputs.map(({ name }) => name), ['x'])
})
