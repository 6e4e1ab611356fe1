import { join } from 'node:path'
import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { referenceModel } from '../weights/single-file.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'

// LoRAs under ControlNets, as diffusers computes both at once; tools/reference/lora_control_pictures.py makes them.

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const never = new AbortController().signal
const reference = join(referenceModel('sd1-tiny'), '..', '..')
const registry = await openRegistry(['models', 'loras', 'control-nets'].map((name) => join(reference, name)))
const air = (name: string) => `local:${name}@1`

const pictures = (await referencePictures('lora-control-pictures')).map(({ request, image }) => {
  const [loras, controlNets] = [request.loras ?? [], request.controlNets ?? []]
  const named = { loras: loras.map((use) => ({ ...use, model: air(use.model) })), controlNets: controlNets.map((use) => ({ ...use, model: air(use.model) })) }
  return { image, request: { ...request, ...named, id: `both ${request.id}`, owner: 'one' } }
})

t.test('a ControlNet and LoRAs act at once, alone and beside rows with other LoRAs and none', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  for (const picture of pictures) sameAsReference(t, picture, await engine.generate(picture.request, never), 'alone, ')
  runs.length = 0
  const images = await Promise.all(pictures.map(({ request }) => engine.generate(request, never)))
  for (const [i, picture] of pictures.entries()) sameAsReference(t, picture, images[i] as (typeof images)[number], 'together, ')
  t.ok(runs.some(({ stage, generations }) => stage === 'denoise' && generations.length === 3), 'all three share a run')
  await engine.stop()
})
