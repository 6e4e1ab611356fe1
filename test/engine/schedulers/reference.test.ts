import t from 'tap'
import type { Test } from 'tap'
import { resolveNoiseScheduler } from '../../../engine/schedulers/names.ts'
import { FakeGeneration, readSchedulerCases, type SchedulerCase } from './scheduler-cases.ts'

// Differences are measured against the largest value of a run: a step subtracts numbers of that size from each other in
// single precision, and PyTorch's square root is not correctly rounded, so its sigmas differ in the last bit.
const TOLERANCE = 1e-5
/** Schedules that end in almost pure noise span sigmas of 1e-2 to 1e4, and the higher orders divide by small differences. */
const WIDE_TOLERANCE = 5e-5
const WIDE_SCHEDULES = ['zero snr', 'cosine']
/** With two steps DPM2 a goes down to the root of the difference of two numbers that agree in six digits. */
const ILL_CONDITIONED_TOLERANCE = 2e-3
/** Of a timestep, in training timesteps. */
const TIMESTEP_TOLERANCE = 1e-3
const ILL_CONDITIONED_TIMESTEP_TOLERANCE = 0.05

const cases = readSchedulerCases()

t.test('every run ends where the one of diffusers does', async (t) => {
  t.ok(cases.length > 600, `${cases.length} runs`)
  for (const name of new Set(cases.map((reference) => reference.name))) {
    t.test(name, async (t) => {
      for (const reference of cases) if (reference.name === name) compare(t, reference)
    })
  }
})

function compare(t: Test, reference: SchedulerCase): void {
  const { config, configName, name, steps } = reference
  const run = resolveNoiseScheduler(name)?.createRun(config, steps)
  const label = `${configName}, ${steps} steps`
  if (run === undefined) return void t.fail(`${label}: no such name`)
  const isIllConditioned = name.startsWith('DPM2 a') && steps === 2
  // 1. Timesteps and the first sigma.
  const timestepError = Math.max(...reference.timesteps.map((timestep, i) => Math.abs(timestep - run.timesteps[i])))
  t.equal(run.timesteps.length, reference.timesteps.length, `${label}: evaluations`)
  const timestepTolerance = isIllConditioned ? ILL_CONDITIONED_TIMESTEP_TOLERANCE : TIMESTEP_TOLERANCE
  t.ok(timestepError <= timestepTolerance, `${label}: timesteps off by ${timestepError}`)
  const sigmaError = Math.abs(run.initNoiseSigma / reference.initNoiseSigma - 1)
  t.ok(sigmaError <= 1e-6, `${label}: initial noise sigma off by ${sigmaError}`)
  // 2. The samples.
  const generation = new FakeGeneration(run)
  generation.finish()
  const last = generation.samples.slice(-reference.samples.length)
  const scale = Math.max(run.initNoiseSigma, ...generation.samples.map((sample) => Math.max(...sample.map(Math.abs))))
  const errors = reference.samples.map((sample, k) => Math.max(...sample.map((value, i) => Math.abs(value - last[k][i]))))
  const error = Math.max(...errors) / scale
  const tolerance = isIllConditioned ? ILL_CONDITIONED_TOLERANCE : WIDE_SCHEDULES.includes(configName) ? WIDE_TOLERANCE : TOLERANCE
  t.ok(error <= tolerance, `${label}: samples off by ${error}`)
}
