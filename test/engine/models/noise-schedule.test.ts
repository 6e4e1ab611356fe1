import t from 'tap'
import { parseJsonObject } from '../../../engine/models/json-file.ts'
import { parseNoiseSchedule } from '../../../engine/models/noise-schedule.ts'

t.test('a published noise schedule is read, and what has no field of its own is kept by its key', t => {
  t.same(
    parseNoiseSchedule({
      _class_name: 'EulerDiscreteScheduler',
      num_train_timesteps: 500,
      beta_start: 0.001,
      beta_end: 0.01,
      beta_schedule: 'linear',
      trained_betas: [0.1, 0.2],
      prediction_type: 'v_prediction',
      timestep_spacing: 'trailing',
      steps_offset: 1,
      rescale_betas_zero_snr: true,
      use_karras_sigmas: true,
      clip_sample: false,
    }),
    {
      className: 'EulerDiscreteScheduler',
      numTrainTimesteps: 500,
      betaStart: 0.001,
      betaEnd: 0.01,
      betaSchedule: 'linear',
      trainedBetas: [0.1, 0.2],
      predictionType: 'vPrediction',
      timestepSpacing: 'trailing',
      stepsOffset: 1,
      rescaleBetasZeroSnr: true,
      extra: { use_karras_sigmas: true, clip_sample: false },
    },
  )
  t.end()
})

t.test("what a file does not say is as diffusers' schedulers have it", t => {
  t.same(parseNoiseSchedule({ _class_name: 'DDIMScheduler', trained_betas: null, timestep_spacing: null }), {
    className: 'DDIMScheduler',
    numTrainTimesteps: 1000,
    betaStart: 0.0001,
    betaEnd: 0.02,
    betaSchedule: 'linear',
    predictionType: 'epsilon',
    stepsOffset: 0,
    rescaleBetasZeroSnr: false,
    extra: {},
  })
  t.end()
})

t.test('a schedule that cannot be followed is refused by the field', t => {
  for (const [key, value] of Object.entries({
    _class_name: 3,
    num_train_timesteps: 0,
    beta_start: -1,
    beta_end: '0.01',
    beta_schedule: 'laplace',
    trained_betas: [2],
    prediction_type: 'flow_prediction',
    timestep_spacing: 'sideways',
    steps_offset: 0.5,
  }))
    t.throws(
      () => parseNoiseSchedule({ _class_name: 'DDIMScheduler', [key]: value }),
      { name: 'ModelError', message: new RegExp(`scheduler_config.json .*${key}`) },
      key,
    )
  t.end()
})

t.test('the infinities that Python writes are read, and the same words in texts are left alone', t => {
  t.same(parseJsonObject('{"a": -Infinity, "b": [Infinity, NaN], "c": "-Infinity \\" NaN"}', 'file'), {
    a: -Infinity,
    b: [Infinity, null],
    c: '-Infinity " NaN',
  })
  for (const text of ['{"a": -Infinit}', '{"a": Infinityx}', '[]', '3', '', '{"a": "NaN}'])
    t.throws(() => parseJsonObject(text, 'file.json'), { name: 'ModelError', message: /^file\.json is not (JSON|a JSON object)/ })
  t.end()
})
