import t from 'tap'
import { createCudaLayers, createLayers } from '../../../engine/graph/create-layers.ts'
import { hasGroupNormKernel } from '../../../engine/graph/fused-operators.ts'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import type { Layers } from '../../../engine/graph/layers.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { relativeError } from '../architectures/reference-tensors.ts'
import { writeWeight } from '../architectures/shape-source.ts'
import { expandedOperators } from './expanded-operators.ts'

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })

/** Numbers of no special pattern, the same at each run. */
function numbers(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898) * 0.7)
}

async function run(makeLayers: (graph: GraphBuilder) => void, x: Tensor): Promise<Tensor> {
  const graph = new GraphBuilder('layers')
  makeLayers(graph)
  const session = await runtime.open(graph.build())
  const { y } = await session.run({ x })
  await session.release()
  return y!
}

t.test('the gated feed-forward is fused at the widths that the device has kernels for, with the same result', async t => {
  const { ref: weight, remove } = writeWeight([2560, 8], numbers(2560 * 8))
  const { ref: bias, remove: removeBias } = writeWeight([2560], numbers(2560))
  t.teardown(() => { remove(); removeBias() })
  const x: Tensor = { dtype: 'float32', dims: [2, 3, 8], data: numbers(48) }
  const used = new Set<string>()
  const draw = (create: (graph: GraphBuilder, input: ReturnType<GraphBuilder['input']>) => Layers) => (graph: GraphBuilder): void => {
    const input = graph.input('x', 'float32', ['rows', 3, 8])
    const layers = create(graph, input)
    graph.output('y', 'float32', ['rows', 3, 1280], layers.fromTokens(layers.geglu(layers.tokens(input, 8), { name: 'x', weight, bias })))
  }
  const plain = await run(draw((graph, input) => createLayers(graph, input, 'cpu', 'float32')), x)
  t.same(plain.dims, [2, 3, 1280])
  const fused = await run(draw((graph, input) => createCudaLayers(graph, input, 'float32', expandedOperators(graph, used))), x)
  t.same([...used], ['BiasSplitGelu'])
  t.ok(relativeError(fused, plain) < 1e-6)
})

t.test('a sum that is used before and after it is normed is computed once and right', async t => {
  for (const lowering of ['cpu', 'cuda'] as const) {
    const { ref, remove } = writeWeight([4], Float32Array.of(1, 1, 1, 1))
    const x: Tensor = { dtype: 'float32', dims: [1, 4, 2, 2], data: numbers(16) }
    const y = await run(graph => {
      const input = graph.input('x', 'float32', ['rows', 4, 'h', 'w'])
      const layers = lowering === 'cpu'
        ? createLayers(graph, input, 'cpu', 'float32')
        : createCudaLayers(graph, input, 'float32', expandedOperators(graph))
      const map = layers.features(input, 4)
      const sum = layers.add(map, map)
      const normed = layers.groupNorm(sum, { weight: ref, bias: ref }, { groups: 2, epsilon: 1e5, silu: false })
      // With so large an epsilon the norm is nearly its bias, 1: what is left is the sum.
      graph.output('y', 'float32', ['rows', 8, 'h', 'w'], layers.toNchw(layers.concat(sum, layers.add(normed, sum))))
    }, x)
    for (let index = 0; index < 16; index++) {
      t.ok(Math.abs((y.data[index] as number) - 2 * (x.data[index] as number)) < 1e-6)
      t.ok(Math.abs((y.data[16 + index] as number) - 2 * (x.data[index] as number) - 1) < 0.02)
    }
    remove()
  }
})

t.test('the fused norm is asked only for what its kernel can do', async t => {
  t.ok(hasGroupNormKernel(320, 32))
  t.notOk(hasGroupNormKernel(96, 32), 'three channels a group')
  t.notOk(hasGroupNormKernel(128, 64), 'more than 32 groups')
})

t.test('pixels become bytes by clamping and rounding half to even', async t => {
  // 255 · (x/2 + 0.5): 0.5 and 1.5 go to the even neighbours 0 and 2.
  const values = [-9, -1, 1, 9, 0.5 / 127.5 - 1, 1.5 / 127.5 - 1, 2.5 / 127.5 - 1, 0]
  const x: Tensor = { dtype: 'float32', dims: [1, 1, 2, 4], data: Float32Array.from(values) }
  const graph = new GraphBuilder('image')
  const input = graph.input('x', 'float32', ['rows', 1, 'h', 'w'])
  const layers = createLayers(graph, input, 'cpu', 'float32')
  graph.output('y', 'uint8', ['rows', 'h', 'w', 1], layers.toImage(layers.features(input, 1)))
  const session = await runtime.open(graph.build())
  const { y } = await session.run({ x })
  // The same steps in float32 arithmetic, rounded as NumPy rounds.
  const expected = values.map(value => {
    const scaled = Math.fround(Math.min(Math.max(Math.fround(Math.fround(Math.fround(value) * 0.5) + 0.5), 0), 1) * 255)
    const floor = Math.floor(scaled)
    const isHalf = scaled - floor === 0.5
    return isHalf ? floor + (floor % 2) : Math.round(scaled)
  })
  t.same([...(y!.data as Uint8Array)], expected)
  t.same([...(y!.data as Uint8Array)].slice(0, 4), [0, 0, 255, 255])
  t.equal(y!.data[7], 128, '127.5 goes to 128')
  await session.release()
})
