import t from 'tap'
import type { RgbImage } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { referenceEngine, referencePictures, sameAsReference } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const pictures = await referencePictures('image-pictures')
const never = new AbortController().signal

await t.test('image to image and inpainting give what diffusers gives, each picture alone', async (t) => {
  const engine = await referenceEngine()
  for (const picture of pictures) sameAsReference(t, picture, await engine.generate(picture.request, never))
  await engine.stop()
})

await t.test('they give it with all others and text to image at once', async (t) => {
  const runs: RunReport[] = []
  const engine = await referenceEngine({ onRun: (report) => runs.push(report) })
  const others = (await referencePictures()).slice(0, 16).map((other) => ({ ...other, request: { ...other.request, id: `other ${other.request.id}` } }))
  const all = [...pictures, ...others]
  const images = await Promise.all(all.map(({ request }) => engine.generate(request, never)))
  await engine.stop()
  all.forEach((picture, i) => sameAsReference(t, picture, images[i] as RgbImage))
  const denoiseRuns = runs.filter((run) => run.stage === 'denoise')
  const rows = denoiseRuns.reduce((sum, run) => sum + run.rows, 0)
  t.ok(rows / denoiseRuns.length > 5, `${(rows / denoiseRuns.length).toFixed(1)} of 8 rows in a run`)
})
