import t from 'tap'
import { createCudaLayers } from '../../../engine/graph/create-layers.ts'
import type { LayersFactory } from '../../../engine/graph/create-layers.ts'
import { textEncoderFeeds } from '../../../engine/pipelines/text-encoder-batch.ts'
import type { EncoderRow } from '../../../engine/prompts/prompt-plan.ts'
import { openRuntime } from '../../../engine/runtime/open-runtime.ts'
import type { Tensor } from '../../../engine/tensor.ts'
import { expandedOperators } from '../graph/expanded-operators.ts'
import { buildReference } from './build-reference.ts'
import { relativeError, sliceRows } from './reference-tensors.ts'

const runtime = await openRuntime({ type: 'cpu' }, { threads: 1 })
const WIDTH = 32
const ids = [812, 5, 6, 7, 8, 9, 813, ...new Array<number>(70).fill(813)]
const vector = (key: string, scale = 1) => ({ key, scale, vector: Float32Array.from({ length: WIDTH }, (_, i) => Math.sin(i + key.length)) })
const rows: readonly EncoderRow[] = [
  { tokens: ids },
  { tokens: ids, hidden: [2, 4] },
  { tokens: ids.map((id, place) => (place === 3 ? vector('star') : id)) },
  { tokens: ids.map((id, place) => (place === 3 ? vector('star') : place === 5 ? vector('other', -2) : id)), hidden: [5, 5] },
]

const expanded: LayersFactory = (graph, input, _lowering, precision) => createCudaLayers(graph, input, precision, expandedOperators(graph, new Set()))

t.test('hidden tokens and vectors in place of tokens are row data: beside others, alone, and in the CUDA lowering the same', async t => {
  const { graph } = await buildReference('sd1-tiny', 'text_encoder')
  const session = await runtime.open(graph)
  const run = async (part: readonly EncoderRow[]) => (await session.run(textEncoderFeeds(part, WIDTH))).hidden_states_0 as Tensor
  const together = await run(rows)
  for (const [index, row] of rows.entries()) t.ok(relativeError(await run([row]), sliceRows(together, index, index + 1)) < 1e-5, `row ${index} alone`)
  const states = rows.map((_, index) => sliceRows(together, index, index + 1))
  const differs = (a: number, b: number) => relativeError(states[a], states[b]) > 1e-3
  t.ok(differs(0, 1) && differs(0, 2) && differs(2, 3), 'each of them changes the states')
  const { graph: cudaGraph } = await buildReference('sd1-tiny', 'text_encoder', 'cuda', expanded)
  const cuda = await runtime.open(cudaGraph)
  const feeds = textEncoderFeeds(rows, WIDTH)
  t.ok(relativeError((await cuda.run(feeds)).hidden_states_0, together) < 1e-4)
  await Promise.all([session.release(), cuda.release()])
})

t.test('a place is looked at by none after it once it is hidden, whatever stands there', async t => {
  const { graph } = await buildReference('sd1-tiny', 'text_encoder')
  const session = await runtime.open(graph)
  const hidden: EncoderRow = { tokens: ids.map((id, place) => (place === 4 ? 100 : id)), hidden: [4, 4] }
  const other: EncoderRow = { tokens: ids.map((id, place) => (place === 4 ? vector('star') : id)), hidden: [4, 4] }
  const { hidden_states_0: states } = await session.run(textEncoderFeeds([hidden, other], WIDTH))
  const data = states?.data as Float32Array
  const stateOf = (row: number, place: number) => [...data.subarray((row * 77 + place) * WIDTH, (row * 77 + place + 1) * WIDTH)]
  for (const place of [0, 3, 5, 76]) t.same(stateOf(0, place), stateOf(1, place), `place ${place}`)
  t.notSame(stateOf(0, 4), stateOf(1, 4))
  await session.release()
})
