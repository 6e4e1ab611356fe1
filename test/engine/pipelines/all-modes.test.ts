import { join } from 'node:path'
import t from 'tap'
import type { GenerationRequest } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { REFERENCE } from '../architectures/reference-tensors.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'
import type { ReferencePicture } from './reference-pictures.ts'

// Requests of every kind at once: each picture is the reference's, and no row runs apart from rows that it may run with.
// tools/reference/steered_pictures.py makes those with ControlNets and IP-Adapters at once.

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

/** What to take of each folder of reference pictures; all of it without numbers. Those of one set may share every run. */
const chosen: readonly (readonly [folder: string, numbers?: readonly number[]])[] = [
  ['pictures', [0, 12, 36, 54]], ['image-pictures', [0, 3, 29, 33]], ['lora-pictures', [1, 3, 7]], ['prompts', [1, 3, 10]], ['vae-pictures', [0]],
  ['control-net-pictures', [0, 7, 9]], ['control-net-image-pictures', [0]], ['lora-control-pictures', [0, 2]], ['ip-adapter-pictures', [0, 1]],
  ['steered-pictures'],
]

const folders = ['models', 'models/sd2-tiny/vae', 'loras', 'prompts/embeddings', 'control-nets', 'ip-adapters']
const registry = await openRegistry(folders.map((name) => join(REFERENCE, name)))
const pictures = (await Promise.all(chosen.map(async ([folder, numbers]) => {
  const all = await referencePictures(folder)
  return (numbers?.map((number) => all[number] as ReferencePicture) ?? all).map((picture) => ofServer(picture, folder))
}))).flat()

/** The same with the AIRs that the registry gives. */
function ofServer({ request, image }: ReferencePicture, folder: string): ReferencePicture {
  const byAir = <Use extends { readonly model: string }>(uses: readonly Use[] = []) => uses.map((use) => ({ ...use, model: `local:${use.model}@1` }))
  const { loras, embeddings, controlNets, ipAdapters, vae } = request
  return {
    image,
    request: {
      ...request, id: `${folder} ${request.id}`, owner: 'one', loras: byAir(loras), embeddings: byAir(embeddings), ...(vae && { vae: 'local:vae@1' }),
      ...(controlNets && { controlNets: byAir(controlNets) }), ...(ipAdapters && { ipAdapters: byAir(ipAdapters) }),
    },
  }
}

/** Rows of one set share runs: the model and what steers its UNet. */
const setOf = ({ model, controlNets = [], ipAdapters = [] }: GenerationRequest) =>
  [model, ...controlNets.map((use) => use.model).sort(), ...ipAdapters.map((use) => use.model).sort()].join(' ')
const sets = new Map(pictures.map(({ request }) => [request.id, setOf(request)]))
const rowsOf = new Map(pictures.map(({ request }) => [request.id, request.guidanceScale > 1 ? 2 : 1]))
const never = new AbortController().signal

const runs: RunReport[] = []
const engine = await referenceEngine({ registry, maxRows: 40, onRun: (report) => runs.push(report) })
t.teardown(() => engine.stop())
const denoiseRuns = () => runs.filter(({ stage }) => stage === 'denoise')
const stepsAlone = new Map<string, number>()

await t.test('each is the reference\'s picture, alone', async (t) => {
  t.same(registry.broken, [])
  for (const picture of pictures) {
    runs.length = 0
    sameAsReference(t, picture, await engine.generate(picture.request, never), `${picture.request.id}, `)
    stepsAlone.set(picture.request.id, denoiseRuns().length)
  }
})

await t.test('and with all others at once; in each run are all rows of its set that have begun and are not done', async (t) => {
  runs.length = 0
  const images = await Promise.all(pictures.map(({ request }) => engine.generate(request, never)))
  for (const [i, picture] of pictures.entries()) sameAsReference(t, picture, images[i] as (typeof images)[number], `${picture.request.id}, `)
  const stepsLeft = new Map(stepsAlone)
  const begun = new Set<string>()
  for (const { generations, rows } of denoiseRuns()) {
    for (const id of generations) begun.add(id)
    const set = sets.get(generations[0] as string)
    const expected = [...begun].filter((id) => sets.get(id) === set && (stepsLeft.get(id) as number) > 0)
    t.same([...generations].sort(), expected.sort(), `of ${set}`)
    t.equal(rows, expected.reduce((sum, id) => sum + (rowsOf.get(id) as number), 0))
    for (const id of generations) stepsLeft.set(id, (stepsLeft.get(id) as number) - 1)
  }
  t.ok([...stepsLeft.values()].every((steps) => steps === 0), 'each in as many runs as alone')
  for (const set of new Set(sets.values())) {
    const members = [...sets].filter(([, other]) => other === set).map(([id]) => id)
    t.ok(denoiseRuns().some(({ generations }) => members.every((id) => generations.includes(id))), `one run has all ${members.length} of ${set}`)
  }
})
