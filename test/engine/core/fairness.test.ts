// What an owner with one picture at a time waits for beside one with many, in runs of networks.
import t from 'tap'
import type { Generation } from '../../../engine/core/generation.ts'
import type { RunCaps } from '../../../engine/core/row-caps.ts'
import { ready, runSteps, type Step } from './planned-steps.ts'

interface Flooding extends RunCaps {
  readonly lightSteps: number
  readonly floodSteps: number
  /** Runs between a picture of the light owner and its next request. */
  readonly pause: number
  readonly pictures?: number
}

interface Flooded {
  /** For each picture of the light owner: runs until it was there, its own among them. */
  readonly runs: readonly number[]
  readonly steps: readonly Step[]
  readonly floodPictures: number
}

const size = { width: 256, height: 256 }

/** Keeps 24 pictures of one owner inside; another sends its next one a while after it got the last. */
function besideFlood({ lightSteps, floodSteps, pause, pictures = 12, ...caps }: Flooding): Flooded {
  const generations: Generation[] = []
  const runs: number[] = []
  let sent = 0
  let floods = 0
  let nextAt = 7
  let sentAt = 0
  const light = () => generations.find(({ owner, isFinished }) => owner === 'light' && !isFinished)
  const refill = (step: number) => {
    while (generations.filter(({ owner, isFinished }) => owner === 'flood' && !isFinished).length < 24) {
      generations.push(ready(`flood-${floods++}`, { owner: 'flood', totalSteps: floodSteps, ...size }))
    }
    if (step === nextAt && sent < pictures) {
      generations.push(ready(`light-${sent++}`, { owner: 'light', totalSteps: lightSteps, ...size }))
      sentAt = step
    }
  }
  refill(0)
  const steps = runSteps(generations, {
    ...caps,
    limit: 40 * pictures * Math.max(lightSteps, floodSteps),
    onStep: (step, { ids, type }) => {
      if (type === 'decode' && ids.some((id) => id.startsWith('light'))) {
        runs.push(step - sentAt)
        nextAt = step + pause
      }
      if (runs.length < pictures || light() !== undefined) refill(step)
    },
  })
  return { runs, steps, floodPictures: floods - 24 }
}

const onePictureARun = { maxRows: 32, maxCells: 2048 }

/** Encoding, steps, decoding. */
const alone = (steps: number) => steps + 2

await t.test('beside a flood of pictures like its own, an owner waits for no more than it needs itself, on average and at worst', async (t) => {
  for (const pause of [1, 2, 3, 5]) {
    const { runs } = besideFlood({ ...onePictureARun, lightSteps: 4, floodSteps: 4, pause })
    t.equal(runs.length, 12)
    t.ok(Math.max(...runs) <= 2 * alone(4) + 1, `a pause of ${pause}: ${runs.join(' ')}`)
  }
})

await t.test('an owner that asks rarely goes first: its pictures wait for one run at most', async (t) => {
  const { runs } = besideFlood({ ...onePictureARun, lightSteps: 4, floodSteps: 4, pause: 20 })
  t.ok(Math.max(...runs) <= alone(4) + 1, runs.join(' '))
})

await t.test('a short picture does not wait for a long one that has begun', async (t) => {
  for (const pause of [1, 10]) {
    const { runs } = besideFlood({ ...onePictureARun, lightSteps: 4, floodSteps: 50, pause })
    t.ok(Math.max(...runs) <= 2 * alone(4) + 1, `a pause of ${pause}: ${runs.join(' ')}`)
  }
})

await t.test('where a run takes two pictures, both owners are in it', async (t) => {
  const { runs, steps } = besideFlood({ maxRows: 32, maxCells: 4096, lightSteps: 4, floodSteps: 4, pause: 3 })
  t.ok(Math.max(...runs) <= alone(4) + 3, runs.join(' '))
  t.ok(steps.filter(({ type }) => type === 'denoise').slice(0, 40).every(({ ids }) => ids.length === 2), 'and no row of a run stays empty')
})

await t.test('the flood is not starved by an owner that asks all the time', async (t) => {
  for (const pause of [1, 3]) {
    const { floodPictures } = besideFlood({ ...onePictureARun, lightSteps: 4, floodSteps: 4, pause, pictures: 40 })
    t.ok(floodPictures >= 38, `${floodPictures} pictures beside 40`)
  }
  const { floodPictures } = besideFlood({ ...onePictureARun, lightSteps: 4, floodSteps: 20, pause: 1, pictures: 40 })
  t.ok(floodPictures >= 10, `${floodPictures} pictures of 20 steps beside 40 of 4`)
})
