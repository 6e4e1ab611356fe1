import t from 'tap'
import { NoiseScheduleError } from '../../../engine/schedulers/noise-schedule-error.ts'
import type { NoiseScheduleConfig } from '../../../engine/schedulers/noise-scheduler.ts'
import { resolveNoiseScheduler } from '../../../engine/schedulers/names.ts'

const config: NoiseScheduleConfig = {
  className: 'DDIMScheduler', numTrainTimesteps: 1000, betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear',
  predictionType: 'epsilon', stepsOffset: 1, rescaleBetasZeroSnr: false, extra: {},
}
const ddim = resolveNoiseScheduler('DDIM')

t.test('steps are to blame when fewer of them would stay on the noise schedule', async t => {
  t.throws(() => ddim?.createRun(config, 1000), new RangeError("expected fewer steps, got 1000: timestep 1000 lies outside the model's 1000"))
  t.equal(ddim?.createRun(config, 999).timesteps[0], 999)
})

t.test('the noise schedule is to blame when not even one step stays on it', async t => {
  t.throws(() => ddim?.createRun({ ...config, stepsOffset: 1000 }, 1), NoiseScheduleError)
})
