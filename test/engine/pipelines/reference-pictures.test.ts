import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { compare, referenceEngine, referencePictures, type ReferencePicture } from './reference-pictures.ts'

/** ±1 of 255 on this share of the pixels: what is left of float32 rounding differently. */
const shareOfPixels = 0.995

const pictures = await referencePictures()
const never = new AbortController().signal

function titleOf({ request }: ReferencePicture): string {
  const { id, noiseScheduler, width, height, totalSteps, guidanceScale, clipSkip, seed } = request
  return `${id}: ${noiseScheduler}, ${width}x${height}, ${totalSteps} steps, guidance ${guidanceScale}, clip skip ${clipSkip}, seed ${seed}`
}

await t.test('every reference picture is computed alone as diffusers computes it', async (t) => {
  const engine = await referenceEngine()
  for (const picture of pictures) {
    const { shareWithinOne, largest } = compare(await engine.generate(picture.request, never), picture.image)
    t.ok(shareWithinOne >= shareOfPixels, `${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
  }
  await engine.stop()
})

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
