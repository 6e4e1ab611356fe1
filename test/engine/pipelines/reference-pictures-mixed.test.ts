import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const pictures = await referencePictures()
const never = new AbortController().signal

await t.test('every reference picture is computed as diffusers computes it with all others at once', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ onRun: (report) => runs.push(report) })
  const images = await Promise.all(pictures.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  for (const [i, picture] of pictures.entries()) {
    const { shareWithinOne, largest } = compare(images[i] as (typeof images)[number], picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
  }
  const denoiseRuns = runs.filter((run) => run.stage === 'denoise')
  const rows = denoiseRuns.reduce((sum, run) => sum + run.rows, 0)
  t.ok(rows / denoiseRuns.length > 5, `${(rows / denoiseRuns.length).toFixed(1)} of 8 rows in a run`)
})
