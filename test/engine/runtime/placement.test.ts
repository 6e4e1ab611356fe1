import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import t from 'tap'
import * as onnx from 'onnxruntime-node'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'
import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import { misplacedNodes } from '../../../engine/runtime/misplaced-nodes.ts'
import { startPlacementCheck } from '../../../engine/runtime/placement-check.ts'

const CUDA = 'CUDAExecutionProvider'

function shapedGraph(): ModelGraph {
  const graph = new GraphBuilder('shaped')
  const x = graph.input('x', 'float32', ['rows', 'w'])
  const doubled = graph.node('Mul', [x, x])
  const rows = graph.node('Shape', [x], { type: 'int64', attributes: { end: { int: 1 } } })
  const shape = graph.node('Concat', [rows, graph.integers(-1, 1)], { attributes: { axis: { int: 0 } } })
  graph.output('y', 'float32', ['rows', 'w', 1], graph.node('Sin', [graph.node('Reshape', [doubled, shape])]))
  return graph.build()
}

/** Runs the graph once under the check, on the processor: there the profile is the same but for the provider's name. */
async function check(provider: string): Promise<void> {
  const placement = await startPlacementCheck('shaped', provider)
  onnx.env.logLevel = 'error'
  const session = await onnx.InferenceSession.create(shapedGraph().encode(), { ...placement.sessionOptions, intraOpNumThreads: 1 })
  await session.run({ x: new onnx.Tensor('float32', Float32Array.of(1, 2), [1, 2]) })
  try {
    await placement.finish(session)
  } finally {
    t.notOk(existsSync(dirname(placement.sessionOptions.profileFilePrefix ?? '')), 'the profile is removed')
    await session.release()
  }
}

t.test('a run that stays on its device passes', async () => {
  await check('CPUExecutionProvider')
})

t.test('a run that leaves its device is refused with the nodes that did, computations of shapes excepted', async t => {
  const error = await check(CUDA).then(() => undefined, (reason: unknown) => reason as Error)
  t.equal(error?.name, 'RuntimeError')
  t.match(error?.message, /^shaped has \d nodes that CUDAExecutionProvider does not run: .*(Mul|Sin)/)
  t.notMatch(error?.message, /Shape_|Concat/)
})

t.test('copies between devices count, integers of the size of data too', async t => {
  const event = (name: string, op_name: string, provider: string, output: Record<string, number[]>) =>
    ({ cat: 'Node', name: `${name}_kernel_time`, args: { op_name, provider, output_type_shape: [output] } })
  const profile = JSON.stringify([
    { cat: 'Session', name: 'model_run', args: {} },
    event('down/Conv_1', 'NhwcConv', CUDA, { float16: [2, 64, 64, 320] }),
    event('Shape_2', 'Shape', 'CPUExecutionProvider', { int64: [4] }),
    event('Gather_3', 'Gather', 'CPUExecutionProvider', { int64: [2, 77] }),
    event('Memcpy_4', 'MemcpyToHost', CUDA, { float: [1] }),
  ])
  t.same(misplacedNodes(profile, CUDA), ['Gather Gather_3', 'MemcpyToHost Memcpy_4'])
})

t.test('a check that is cancelled leaves nothing behind', async t => {
  const placement = await startPlacementCheck('cancelled')
  await placement.cancel()
  t.notOk(existsSync(dirname(placement.sessionOptions.profileFilePrefix ?? '')))
})
