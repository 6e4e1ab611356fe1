import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createModelLoader } from '../../../engine/models/loader.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { fakeRuntime } from '../../../engine/runtime/fake-runtime.ts'
import { folderTensors, referenceModel } from '../weights/single-file.ts'
import { readTensors } from '../weights/safetensors-writer.ts'

const REFERENCE = join(import.meta.dirname, '..', '..', '..', '..', 'test', 'reference')
const EDGES = 'local:sd1-tiny-edges@1'
const DEPTH = 'local:sd1-tiny-depth@1'

const folder = t.testdir({})
await cp(referenceModel('sd1-tiny'), join(folder, 'a'), { recursive: true })
await cp(referenceModel('sd1-tiny'), join(folder, 'b'), { recursive: true })
const registry = await openRegistry([folder, join(REFERENCE, 'control-nets')])

const count = (tensors: Record<string, { shape: readonly number[] }>): number =>
  Object.values(tensors).reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0)
const stored = Object.fromEntries(Object.entries(await folderTensors(referenceModel('sd1-tiny'))).filter(([name]) => name.startsWith('unet/')))
// What makes keys and values of prompts is open beside the checkpoint's UNet, and not once more with ControlNets.
const unetBytes = 4 * count(Object.fromEntries(Object.entries(stored).filter(([name]) => !/attn2\.to_[kv]\./.test(name))))
const netBytes = 4 * count(await readTensors(join(REFERENCE, 'control-nets', 'sd1-tiny-edges', 'diffusion_pytorch_model.safetensors')))

const controlNets = (airs: readonly string[]) => ({ controlNets: airs, ipAdapters: [] })

function loaderOf(weightsBudgetBytes = 1e9) {
  const opened: string[] = []
  const runtime = fakeRuntime()
  const counting = { device: runtime.device, open: (graph: Parameters<typeof runtime.open>[0]) => (opened.push(graph.name), runtime.open(graph)) }
  return { opened, loader: createModelLoader({ registry, runtime: counting, weightsBudgetBytes }) }
}

t.test('a UNet with ControlNets is opened once for each checkpoint and list of them, and tells what its inputs are', async t => {
  const { opened, loader } = loaderOf()
  const base = await loader.load('local:a@1')
  const before = opened.length
  const uses = [[EDGES], [EDGES.toUpperCase()], [DEPTH, EDGES], [DEPTH, EDGES], [EDGES, EDGES]]
  const held = await Promise.all(uses.map(airs => loader.useSteeredUnet(controlNets(airs), base)))
  t.same(opened.slice(before), ['unet', 'unet', 'unet'])
  t.equal(held[0]?.part, held[1]?.part)
  t.same(held[2]?.part.controlNets, [{ air: DEPTH, maps: 13, isPooled: false }, { air: EDGES, maps: 13, isPooled: false }])
  t.equal(held[2]?.part.relativeCost, (unetBytes + 2 * netBytes) / unetBytes)
  t.equal(held[4]?.part.relativeCost, (unetBytes + netBytes) / unetBytes, 'one that is used twice is there once')
  t.ok(held[4]?.part.unet.inputs.some(({ name }) => name === 'control_guide_1'))
  t.not((await loader.useSteeredUnet(controlNets([EDGES]), await loader.load('local:b@1'))).part, held[0]?.part)
  await loader.release()
})

t.test('it takes part in the budget beside its checkpoint', async t => {
  const size = (await loaderOf().loader.load('local:a@1')).byteLength
  const { loader } = loaderOf(size + 1.5 * (unetBytes + netBytes))
  const base = await loader.load('local:a@1')
  loader.hold('local:a@1')
  const { release } = await loader.useSteeredUnet(controlNets([EDGES]), base)
  t.same(loader.loaded(), ['local:a@1', `local:a@1 with ${EDGES}`])
  let isOpen = false
  const second = loader.useSteeredUnet(controlNets([DEPTH]), base).then(() => { isOpen = true })
  await new Promise(resolve => setTimeout(resolve, 20))
  t.notOk(isOpen, 'a held one keeps its room')
  release()
  await second
  t.same(loader.loaded(), ['local:a@1', `local:a@1 with ${DEPTH}`])
  const { loader: small } = loaderOf(size + 0.5 * unetBytes)
  const message = /^the model local:a@1 with local:sd1-tiny-edges@1 cannot be loaded: .* takes .* beside the .* raise the weights budget/
  const alone = await small.load('local:a@1')
  await t.rejects(small.useSteeredUnet(controlNets([EDGES]), alone), { name: 'ModelError', message })
})

t.test('a ControlNet that cannot be used is named', async t => {
  const { loader } = loaderOf()
  const base = await loader.load('local:a@1')
  for (const [air, message] of [
    ['local:sd2-tiny-edges@1', /^the model local:sd2-tiny-edges@1 cannot be loaded: it was made for another kind of checkpoint: it takes prompts of width 48, and the UNet those of width 32/],
    ['local:b@1', /^local:b@1 is a checkpoint, not a controlnet/],
    ['local:none@1', /^there is no model "local:none@1"/],
  ] as const) await t.rejects(loader.useSteeredUnet(controlNets([EDGES, air]), base), { name: 'ModelError', air, message })
})
