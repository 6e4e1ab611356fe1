import t from 'tap'
import { noiseSchedulerNames, resolveNoiseScheduler } from '../../../engine/schedulers/names.ts'
import type { NoiseScheduleConfig } from '../../../engine/schedulers/noise-scheduler.ts'
import { FakeGeneration, noiseScheduleOf } from './scheduler-cases.ts'

const SD1 = noiseScheduleOf({
  _class_name: 'PNDMScheduler', num_train_timesteps: 1000, beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear',
  set_alpha_to_one: false, skip_prk_steps: true, steps_offset: 1, trained_betas: null, clip_sample: false,
})
/** LCM models are distilled on this many steps. */
const MOST_LCM_STEPS = 50

function run(name: string, config: NoiseScheduleConfig = SD1, steps = 4) {
  const scheduler = resolveNoiseScheduler(name)
  if (scheduler === undefined) throw new Error(`${name} is unknown`)
  return scheduler.createRun(config, steps)
}

function finalSample(name: string, config: NoiseScheduleConfig = SD1, steps = 4): Float32Array {
  const generation = new FakeGeneration(run(name, config, steps))
  generation.finish()
  return generation.samples.at(-1) ?? new Float32Array()
}

t.test('every name that is shown can be asked for, in any case and spacing', async (t) => {
  t.equal(new Set(noiseSchedulerNames).size, noiseSchedulerNames.length, 'names are unique')
  for (const name of noiseSchedulerNames) {
    t.equal(resolveNoiseScheduler(name)?.name, name)
    t.equal(resolveNoiseScheduler(`  ${name.toUpperCase().replaceAll(' ', '  ')} `)?.name, name)
  }
})

t.test('the names of the algorithms and their spreads are all there', async (t) => {
  const spread = ['Euler', 'LMS', 'Heun', 'DPM2', 'DPM2 a', 'DPM++ 2M', 'DPM++ 2M SDE', 'DPM++ SDE', 'DPM++ 3M SDE', 'UniPC', 'DEIS']
  const plain = ['Default', 'Euler a', 'DDIM', 'DDPM', 'PNDM', 'LCM', 'EulerDiscreteScheduler', 'DPMSolverMultistepScheduler']
  const expected = [...plain, ...spread.flatMap((name) => ['', ' Karras', ' Exponential', ' Beta'].map((word) => name + word))]
  t.strictSame(expected.filter((name) => !noiseSchedulerNames.includes(name)), [])
})

t.test('unknown names are undefined', async (t) => {
  const names = ['', 'Euler b', 'Euler a Karras', 'DDIM Beta', 'FlowMatchEulerDiscreteScheduler', '__proto__', 'constructor', 'toString']
  for (const name of names) t.equal(resolveNoiseScheduler(name), undefined, name)
})

t.test('every name runs 1 to 100 steps to finite numbers, or says what it can do', async (t) => {
  for (const name of noiseSchedulerNames) {
    const isLcm = name.startsWith('LCM')
    for (let steps = 1; steps <= 100; steps++) {
      if (isLcm && steps > MOST_LCM_STEPS) {
        t.throws(() => run(name, SD1, steps), { name: 'RangeError', message: `expected 1 to 50 steps with LCM, got ${steps}` })
        continue
      }
      if (!finalSample(name, SD1, steps).every(Number.isFinite)) t.fail(`${name} with ${steps} steps is not finite`)
    }
    t.pass(name)
  }
})

t.test('trailing timesteps are as many as steps', async (t) => {
  const trailing = { ...SD1, timestepSpacing: 'trailing' } as const
  for (const name of ['Euler', 'DDIM', 'DPM++ 2M', 'PLMS']) {
    for (const steps of [1, 7, 61, 62, 99]) {
      const { timesteps } = run(name, trailing, steps)
      t.equal(timesteps.length, name === 'PLMS' && steps > 1 ? steps + 1 : steps, `${name}, ${steps} steps`)
      t.ok(timesteps.every((timestep) => timestep >= 0))
    }
  }
})

t.test('a step count that cannot be done is a RangeError', async (t) => {
  for (const name of noiseSchedulerNames) {
    for (const steps of [0, -1, 1.5, NaN, 1001]) t.throws(() => run(name, SD1, steps), { name: 'RangeError' }, `${name}, ${steps}`)
  }
  const rungeKutta = { ...SD1, extra: { skip_prk_steps: false } }
  t.throws(() => run('PNDM', rungeKutta, 3), { name: 'RangeError' })
  t.equal(run('PNDM', rungeKutta, 4).timesteps.length, 13)
})

t.test('runs that take turns do not disturb each other', async (t) => {
  for (const name of noiseSchedulerNames) {
    const scheduler = resolveNoiseScheduler(name)
    if (scheduler === undefined) throw new Error(name)
    const alone = new FakeGeneration(scheduler.createRun(SD1, 6))
    alone.finish()
    const one = new FakeGeneration(scheduler.createRun(SD1, 6))
    const other = new FakeGeneration(scheduler.createRun(SD1, 9))
    while (!one.isDone) {
      one.step()
      other.step()
    }
    t.strictSame(one.samples, alone.samples, name)
  }
})

t.test('Default is the class the model was published with', async (t) => {
  t.strictSame(finalSample('Default'), finalSample('PNDMScheduler'))
  t.strictSame(finalSample('Default', { ...SD1, className: 'EulerDiscreteScheduler' }), finalSample('Euler'))
  for (const className of ['FlowMatchEulerDiscreteScheduler', 'toString']) {
    t.throws(() => run('Default', { ...SD1, className }), { name: 'NoiseScheduleError', message: new RegExp(`_class_name: ${className}`) })
  }
})

t.test("a class name keeps the model's settings, a spread in the name replaces its spread", async (t) => {
  const karras = { ...SD1, extra: { ...SD1.extra, use_karras_sigmas: true } }
  t.strictSame(finalSample('EulerDiscreteScheduler', karras), finalSample('Euler Karras'))
  t.strictSame(finalSample('Euler Beta', karras), finalSample('Euler Beta'))
  const third = { ...SD1, extra: { ...SD1.extra, solver_order: 3 } }
  t.strictSame(finalSample('DPMSolverMultistepScheduler', third, 8), finalSample('DPM++ 3M', SD1, 8))
  t.strictSame(finalSample('DPM++ 2M', third, 8), finalSample('DPM++ 2M', SD1, 8))
})

t.test('settings that cannot be followed are refused by their key', async (t) => {
  const refusals: readonly [name: string, extra: Record<string, unknown>, key: string][] = [
    ['DDIM', { thresholding: true }, 'thresholding'],
    ['DPM++ 2M', { use_flow_sigmas: true }, 'use_flow_sigmas'],
    ['Euler', { use_karras_sigmas: 'yes' }, 'use_karras_sigmas'],
    ['Euler', { use_karras_sigmas: true, use_beta_sigmas: true }, 'use_karras_sigmas'],
    ['Euler', { interpolation_type: 'log_linear' }, 'interpolation_type'],
    ['Euler', { final_sigmas_type: 'other' }, 'final_sigmas_type'],
    ['DPMSolverMultistepScheduler', { solver_order: 4 }, 'solver_order'],
    ['DPMSolverMultistepScheduler', { algorithm_type: 'dpmsolver' }, 'final_sigmas_type'],
    ['UniPC', { solver_p: {} }, 'solver_p'],
    ['DEIS', { algorithm_type: 'sde-dpmsolver++' }, 'algorithm_type'],
    ['DDPM', { variance_type: 'learned' }, 'variance_type'],
    ['LCM', { original_inference_steps: 2000 }, 'original_inference_steps'],
  ]
  for (const [name, extra, key] of refusals) {
    t.throws(() => run(name, { ...SD1, extra }), { name: 'NoiseScheduleError', message: new RegExp(key) }, `${name}: ${key}`)
  }
  const continuous = { ...SD1, predictionType: 'vPrediction', extra: { timestep_type: 'continuous' } } as const
  t.throws(() => run('Euler', continuous), { message: /timestep_type/ })
  for (const name of ['Euler a', 'PNDM', 'DPM2', 'DPM2 a', 'DPM++ SDE']) {
    t.throws(() => run(name, { ...SD1, predictionType: 'sample' }), { message: /prediction_type/ }, name)
  }
})
