import t from 'tap'
import type { GenerationRequest, RgbImage } from '../../../engine/core/generation-request.ts'
import type { RunReport } from '../../../engine/engine.ts'
import { compare, referenceEngine, referencePictures } from './reference-pictures.ts'

// The promise: in float32 on the CPU a picture differs by at most 1 of 255 between alone and in any batch. The runtime's
// matrix kernels may add in another order for another number of rows, so the last bits of a float may differ.
const tolerance = 1

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const pictures = await referencePictures()
const never = new AbortController().signal

/** One request of each kind that matters here, for one model and size. */
function variants(model: string): readonly GenerationRequest[] {
  const longest = pictures.reduce((a, b) => (b.request.prompt.length > a.request.prompt.length ? b : a)).request.prompt
  const base = { owner: 'o', model, prompt: 'a red cat on a hill', negativePrompt: 'blurry', width: 64, height: 64, clipSkip: 0 }
  return [
    { ...base, id: '0', totalSteps: 6, noiseScheduler: 'Euler a', guidanceScale: 5, seed: 1 },
    { ...base, id: '1', totalSteps: 9, noiseScheduler: 'DPM++ 2M Karras', guidanceScale: 1, seed: 2 },
    { ...base, id: '2', totalSteps: 3, noiseScheduler: 'DDIM', guidanceScale: 8, seed: 3, prompt: longest },
    { ...base, id: '3', totalSteps: 5, noiseScheduler: 'Heun', guidanceScale: 2, seed: 4, clipSkip: 1 },
    { ...base, id: '4', totalSteps: 7, noiseScheduler: 'UniPC', guidanceScale: 4, seed: 5, negativePrompt: longest },
  ]
}

function largestDifference(a: RgbImage, b: RgbImage): number {
  return compare(a, b).largest
}

for (const model of new Set(pictures.map(({ request }) => request.model))) {
  await t.test(`a picture of ${model} is the same alone and in any batch`, async (t) => {
    const engine = await referenceEngine({ maxRows: 12 })
    const requests = variants(model)
    const alone: RgbImage[] = []
    for (const request of requests) alone.push(await engine.generate(request, never))
    for (let neighbours = 1; neighbours < requests.length; neighbours++) {
      for (let start = 0; start < requests.length; start++) {
        const batch = Array.from({ length: neighbours + 1 }, (_, i) => requests[(start + i) % requests.length] as GenerationRequest)
        const images = await Promise.all(batch.map((request) => engine.generate(request, never)))
        const differences = batch.map(({ id }, i) => largestDifference(images[i] as RgbImage, alone[Number(id)] as RgbImage))
        t.ok(Math.max(...differences) <= tolerance, `${batch.map(({ id }) => id).join(' ')} together: differences ${differences.join(' ')}`)
      }
    }
    await engine.stop()
  })

  await t.test(`a picture of ${model} is the same whichever step others join and leave at`, async (t) => {
    const others: Promise<string>[] = []
    const join = (request: GenerationRequest, signal: AbortSignal) => {
      others.push(engine.generate(request, signal).then(() => 'completed', (reason: Error) => reason.message))
    }
    const controller = new AbortController()
    let steps = 0
    const onRun = ({ stage, generations }: RunReport) => {
      if (stage !== 'denoise' || !generations.includes('subject')) return
      steps += 1
      const [a, b, c] = variants(model) as [GenerationRequest, GenerationRequest, GenerationRequest]
      if (steps === 2) join(a, never)
      if (steps === 2) join(b, controller.signal)
      if (steps === 4) controller.abort(new Error('cancelled'))
      if (steps === 5) join(c, never)
    }
    const engine = await referenceEngine({ onRun })
    const subject = { ...(variants(model)[0] as GenerationRequest), id: 'subject', totalSteps: 12 }
    const inCompany = await engine.generate(subject, never)
    t.same(await Promise.all(others), ['completed', 'cancelled', 'completed'])
    const alone = await engine.generate({ ...subject, id: 'alone' }, never)
    await engine.stop()
    t.ok(largestDifference(inCompany, alone) <= tolerance)
    t.equal(steps, 12)
  })

  await t.test(`result k of ${model} equals the single request with seed + k`, async (t) => {
    const engine = await referenceEngine({ maxRows: 6 })
    const base = variants(model)[0] as GenerationRequest
    const request = (k: number): GenerationRequest => ({ ...base, id: `seed ${k}`, seed: 2 ** 32 - 2 + k })
    const together = await Promise.all([0, 1, 2, 3].map((k) => engine.generate(request(k), never)))
    for (const k of [0, 1, 2, 3]) {
      const single = await engine.generate(request(k), never)
      t.ok(largestDifference(together[k] as RgbImage, single) <= tolerance)
      for (const other of [0, 1, 2, 3]) {
        if (other !== k) t.ok(largestDifference(together[other] as RgbImage, single) > 10, 'another seed is another picture')
      }
    }
    await engine.stop()
  })
}
