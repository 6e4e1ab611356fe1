import t from 'tap'
import type { LoraInputs, NetworkLora } from '../../../engine/models/loaded-model.ts'
import { LoraFeeds } from '../../../engine/pipelines/lora-feeds.ts'
import { textLoras, unetLoras } from '../../../engine/pipelines/lora-uses.ts'
import type { NetworkLoraUse } from '../../../engine/pipelines/network-lora-use.ts'
import { groupRows } from '../../../engine/pipelines/row-groups.ts'
import { rankRounding } from '../../../engine/runtime/rank-buckets.ts'

const same = (rank: number): number => rank

function inputs(name: string, kernel = 1): LoraInputs {
  return { name, inputs: 2, outputs: 1, kernel, down: `${name} down`, up: `${name} up`, scale: `${name} scale` }
}

/** A LoRA whose numbers tell where they are from. */
function lora(start: number, ranks: Readonly<Record<string, number>>, kernel = 1): NetworkLora {
  const layers = Object.entries(ranks).map(([name, rank]) => {
    const count = (size: number) => Float32Array.from({ length: rank * size }, (_, i) => start + i)
    return [name, { rank, down: count(2 * kernel * kernel), up: count(1) }] as const
  })
  return { layers: new Map(layers), rank: Math.max(0, ...Object.values(ranks)) }
}

function use(network: NetworkLora, weight: number): NetworkLoraUse {
  return { air: 'a', lora: network, weight }
}

t.test('the LoRAs of a run are stacked, and each row has a scale for its own', async t => {
  const feeds = new LoraFeeds([inputs('x'), inputs('y')], same)
  const [a, b] = [lora(10, { x: 1 }), lora(20, { x: 2, y: 1 })]
  const filled = feeds.fill([[use(a, 0.5)], [], [use(b, -1), use(a, 2)]])
  t.same(Object.keys(filled), ['x down', 'x up', 'x scale', 'y down', 'y up', 'y scale'])
  t.same(filled['x down'], { dtype: 'float32', dims: [3, 2], data: Float32Array.of(10, 11, 20, 21, 22, 23) })
  t.same(filled['x up'], { dtype: 'float32', dims: [3, 1], data: Float32Array.of(10, 20, 21) })
  t.same(filled['x scale'], { dtype: 'float32', dims: [3, 1, 3], data: Float32Array.of(0.5, 0, 0, 0, 0, 0, 2, -1, -1) })
  t.same(filled['y down']?.dims, [1, 2])
  t.same(filled['y scale'], { dtype: 'float32', dims: [3, 1, 1], data: Float32Array.of(0, 0, -1) })
})

t.test('a LoRA that a row takes twice counts twice', async t => {
  const a = lora(1, { x: 2 })
  const filled = new LoraFeeds([inputs('x')], same).fill([[use(a, 1), use(a, -0.25)]])
  t.same(filled['x scale']?.data, Float32Array.of(0.75, 0.75))
  t.same(filled['x down']?.dims, [2, 2])
})

t.test('without LoRAs the inputs are empty, and the weights of one are not copied', async t => {
  const feeds = new LoraFeeds([inputs('x', 3)], same)
  const a = lora(1, { x: 1 }, 3)
  const filled = feeds.fill([[use(a, 1)]])
  t.equal(filled['x down']?.data, a.layers.get('x')?.down)
  t.same(filled['x down']?.dims, [1, 2, 3, 3])
  const empty = feeds.fill([[], []])
  t.same(empty['x down'], { dtype: 'float32', dims: [0, 2, 3, 3], data: new Float32Array() })
  t.same(empty['x scale'], { dtype: 'float32', dims: [2, 1, 0], data: new Float32Array() })
  t.same(new LoraFeeds([], same).fill([[use(a, 1)]]), {})
})

t.test('ranks are filled up with zeros where the device wants few of them', async t => {
  const cuda = rankRounding({ type: 'cuda', index: 0 })
  t.same([0, 1, 8, 9, 16, 17, 128, 129].map(cuda), [8, 8, 8, 16, 16, 32, 128, 256])
  t.same([0, 1, 9].map(rankRounding({ type: 'cpu' })), [0, 1, 9])
  const filled = new LoraFeeds([inputs('x')], cuda).fill([[use(lora(1, { x: 1 }), 3)]])
  t.same(filled['x down'], { dtype: 'float32', dims: [8, 2], data: Float32Array.of(1, 2, ...new Array<number>(14).fill(0)) })
  t.same(filled['x scale']?.data, Float32Array.of(3, 0, 0, 0, 0, 0, 0, 0))
})

t.test('rows are divided by their number and by the ranks of their LoRAs, and no row is lost', async t => {
  const [a, b, c, huge] = [lora(0, { x: 64 }), lora(0, { x: 64 }), lora(0, { x: 8 }), lora(0, { x: 300 })]
  const rows = [[use(a, 1)], [use(b, 1)], [use(c, 1)], [], [use(a, 2), use(a, 1)], [use(huge, 1)], [use(c, 1)]]
  t.same(groupRows(rows, 8), [[0, 1, 3, 4], [2, 6], [5]])
  t.same(groupRows(rows, 2), [[0, 1], [2, 3], [4, 6], [5]])
  t.same(groupRows([[], [], []], 2), [[0, 1], [2]])
  t.same(groupRows([[use(huge, 1), use(a, 1)], []], 2), [[0], [1]], 'what one row takes stays together')
  t.same(groupRows([[use(huge, 1)], [use(huge, 1)], [], [use(a, 1)]], 4), [[0, 1], [2, 3]], 'so do the two rows of one picture')
})

t.test('a LoRA without layers in a network, or without weight, is none of its rows', async t => {
  const [none, some] = [lora(0, {}), lora(0, { x: 1 })]
  const loras = [{ air: 'a', weight: 1, lora: { unet: none, textEncoders: [some, none] } }, { air: 'b', weight: 0, lora: { unet: some, textEncoders: [some, some] } }]
  t.same(unetLoras(loras), [])
  t.same(textLoras(0, loras), [{ air: 'a', weight: 1, lora: some }])
  t.same(textLoras(1, loras), [])
  t.same(unetLoras(), [])
})
