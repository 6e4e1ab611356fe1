import { readFileSync } from 'node:fs'
import type { NoiseScheduleConfig, NoiseSchedulerRun } from '../../../engine/schedulers/noise-scheduler.ts'
import { createNoiseSource } from '../../../engine/random/noise-source.ts'

/** Values of the latent that tools/reference/schedulers.py works on. */
export const SAMPLE_SIZE = 32
const SEED = 1234

/** One run that diffusers made. */
export interface SchedulerCase {
  readonly config: NoiseScheduleConfig
  readonly configName: string
  readonly name: string
  readonly steps: number
  readonly timesteps: readonly number[]
  readonly initNoiseSigma: number
  /** The last samples of the run, in order. */
  readonly samples: readonly Float32Array[]
}

type CaseRow = [configName: string, name: string, steps: number, evaluations: number, stored: number]

/** Reads what tools/reference/schedulers.py wrote. */
export function readSchedulerCases(): SchedulerCase[] {
  const folder = 'test/reference/schedulers'
  const file = JSON.parse(readFileSync(`${folder}/cases.json`, 'utf8')) as {
    readonly configs: Readonly<Record<string, Readonly<Record<string, unknown>>>>
    readonly cases: readonly CaseRow[]
  }
  const bytes = readFileSync(`${folder}/samples.bin`)
  let offset = 0
  const take = (count: number): Float32Array => {
    const values = Float32Array.from({ length: count }, (_, i) => bytes.readFloatLE(offset + 4 * i))
    offset += 4 * count
    return values
  }
  const cases = file.cases.map(([configName, name, steps, evaluations, stored]) => ({
    config: noiseScheduleOf(file.configs[configName]),
    configName,
    name,
    steps,
    timesteps: [...take(evaluations)],
    initNoiseSigma: take(1)[0],
    samples: Array.from({ length: stored }, () => take(SAMPLE_SIZE)),
  }))
  if (offset !== bytes.length) throw new Error('cases.json and samples.bin do not belong together')
  return cases
}

/** A noise schedule from a scheduler_config.json. */
export function noiseScheduleOf(json: Readonly<Record<string, unknown>>): NoiseScheduleConfig {
  const { prediction_type: predictionType, timestep_spacing: timestepSpacing, trained_betas: trainedBetas } = json
  return {
    className: String(json._class_name),
    numTrainTimesteps: Number(json.num_train_timesteps ?? 1000),
    betaStart: Number(json.beta_start ?? 0.0001),
    betaEnd: Number(json.beta_end ?? 0.02),
    betaSchedule: (json.beta_schedule ?? 'linear') as NoiseScheduleConfig['betaSchedule'],
    ...(Array.isArray(trainedBetas) && { trainedBetas: trainedBetas as number[] }),
    predictionType: predictionType === 'v_prediction' ? 'vPrediction' : predictionType === 'sample' ? 'sample' : 'epsilon',
    ...(timestepSpacing !== undefined && { timestepSpacing: timestepSpacing as 'linspace' | 'leading' | 'trailing' }),
    stepsOffset: Number(json.steps_offset ?? 0),
    rescaleBetasZeroSnr: json.rescale_betas_zero_snr === true,
    extra: json,
  }
}

/** A run that is moved on one evaluation at a time with the fake model of the reference. */
export class FakeGeneration {
  readonly run: NoiseSchedulerRun
  readonly samples: Float32Array[] = []
  readonly #noise = createNoiseSource(SEED)
  #sample: Float32Array

  constructor(run: NoiseSchedulerRun) {
    this.run = run
    this.#sample = this.#noise.next(SAMPLE_SIZE).map((value) => value * run.initNoiseSigma)
  }

  get isDone(): boolean {
    return this.samples.length === this.run.timesteps.length
  }

  step(): void {
    const evaluation = this.samples.length
    const input = new Float32Array(SAMPLE_SIZE)
    this.run.scaleModelInput(this.#sample, evaluation, input)
    const timestep = this.run.timesteps[evaluation]
    const output = input.map((value, i) => {
      return Math.fround(value * Math.fround(timestep / (timestep + 50))) + Math.fround(0.2 * Math.fround(Math.sin(Math.fround(Math.fround(3 * value) + i))))
    })
    this.#sample = this.run.step(output, evaluation, this.#sample, this.#noise)
    this.samples.push(this.#sample.slice())
  }

  finish(): void {
    while (!this.isDone) this.step()
  }
}
