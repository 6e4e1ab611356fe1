// Run by telemetry.test.ts in a process and a home of its own: computes something, then ends as the runtime ends.
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import { GraphBuilder } from '../../../engine/graph/graph-builder.ts'

const graph = new GraphBuilder('sum')
const one = graph.input('one', 'float32', [1])
graph.output('two', 'float32', [1], graph.node('Add', [one, one]))
const session = await (await openRuntime({ type: 'cpu' }, { threads: 1 })).open(graph.build())
await session.run({ one: { dtype: 'float32', dims: [1], data: Float32Array.of(1) } })
await session.release()
