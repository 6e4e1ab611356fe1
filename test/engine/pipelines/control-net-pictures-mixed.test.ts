import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { controlNetPictures, controlNetRegistry, usesOf } from './control-net-pictures.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const registry = await controlNetRegistry()
const pictures = await controlNetPictures()
const plain = (await referencePictures()).slice(0, 6)
const never = new AbortController().signal

await t.test('pictures under ControlNets are computed so with all others at once', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry, onRun: (report) => runs.push(report) })
  const all = [...pictures, ...plain]
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  for (const [i, picture] of all.entries()) {
    const { shareWithinOne, largest } = compare(images[i] as (typeof images)[number], picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${usesOf(picture)}: ${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
  }
  const denoiseRuns = runs.filter((run) => run.stage === 'denoise')
  t.ok(denoiseRuns.some((run) => run.generations.length > 2), 'rows share runs')
})
