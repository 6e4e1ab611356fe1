// What the engine itself costs in a step, beside the network: `npm run bench:step -- [--out FILE]`. The networks are empty and the
// shapes are those of SD 1.5 at 512x512, so all time is planning, filling inputs, guidance and the noise schedulers.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { Generation } from '../engine/core/generation.ts'
import type { DecodedRequest } from '../engine/core/generation-request.ts'
import { Executor } from '../engine/core/executor.ts'
import { RowCaps } from '../engine/core/row-caps.ts'
import { StepScheduler } from '../engine/core/step-scheduler.ts'
import type { LoadedModel } from '../engine/models/loaded-model.ts'
import { EmbedsCache } from '../engine/pipelines/embeds-cache.ts'
import { StableDiffusionPipeline } from '../engine/pipelines/stable-diffusion.ts'
import { startNoiseScheduler } from '../engine/pipelines/start-noise-scheduler.ts'
import { createNoiseSource } from '../engine/random/noise-source.ts'
import type { ModelSession } from '../engine/runtime/model-session.ts'
import type { Tensor } from '../engine/tensor.ts'
import { summarize } from './percentiles.ts'

const maxRows = 16
const contextSize = 768
const tokens = 77
const warmUpSteps = 20
const measuredSteps = 200
/** Generations inside; eight of them run at a time. */
const crowds = [8, 100, 1000]

const { values: options } = parseArgs({ options: { out: { type: 'string', default: 'bench/results/step-overhead.json' } } })

const results = []
for (const generations of crowds) results.push(await measure(generations))
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const report = { machine: cpus()[0]?.model, node: process.version, commit, maxRows, warmUpSteps, unit: 'ms a step', results }
mkdirSync(dirname(options.out), { recursive: true })
writeFileSync(options.out, `${JSON.stringify(report, undefined, 2)}\n`)
console.log(JSON.stringify(report, undefined, 2))

async function measure(count: number) {
  const rowCaps = new RowCaps(maxRows)
  const stepScheduler = new StepScheduler(rowCaps)
  const executor = new Executor(rowCaps)
  const pipeline = createEmptyPipeline()
  const inside = Array.from({ length: count }, (_, i) => new Generation(requestOf(i)))
  for (const generation of inside) generation.attach(pipeline, {})
  const planMs: number[] = []
  const stepMs: number[] = []
  for (let step = 0; step < warmUpSteps + measuredSteps;) {
    const startMs = performance.now()
    const plan = stepScheduler.plan(inside)
    const plannedMs = performance.now()
    if (plan.type === 'idle') throw new Error('nothing left to run')
    for (const outcome of await executor.execute(plan)) {
      if (outcome.type === 'failed') throw outcome.error
      if (outcome.type === 'prepared') outcome.generation.start(outcome.state)
    }
    if (plan.type !== 'denoise' || step++ < warmUpSteps) continue
    planMs.push(plannedMs - startMs)
    stepMs.push(performance.now() - startMs)
  }
  return { generations: count, plan: summarize(planMs), step: summarize(stepMs) }
}

function requestOf(i: number): DecodedRequest {
  return {
    id: `${i}`,
    owner: `owner ${i % 10}`,
    model: 'bench:1@1',
    prompt: `prompt ${i}`,
    negativePrompt: '',
    width: 512,
    height: 512,
    totalSteps: 500,
    noiseScheduler: ['Euler', 'Euler a', 'DDIM', 'DPM++ 2M Karras'][i % 4] as string,
    guidanceScale: 7.5,
    clipSkip: 0,
    seed: i,
  }
}

/** The pipeline over networks that give zeros at once. */
function createEmptyPipeline(): StableDiffusionPipeline {
  const session = (name: string, outputs: readonly string[], compute: ModelSession['run']): ModelSession => ({
    name,
    inputs: [],
    outputs: outputs.map((output) => ({ name: output, dtype: 'float32', dims: [] })),
    run: compute,
    release: () => Promise.resolve(),
  })
  const zeros = (dims: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: new Float32Array(dims.reduce((a, b) => a * b)) })
  const rowsOf = (tensor: Tensor | undefined) => tensor?.dims[0] ?? 0
  const model: LoadedModel = {
    spec: { air: 'bench:1@1', type: 'checkpoint', name: 'bench', path: '/', defaults: {} },
    contextSize, zerosEmptyPrompt: false, latentChannels: 4, latentFactor: 8, byteLength: 1e9,
    noiseSchedule: {
      className: 'PNDMScheduler', numTrainTimesteps: 1000, betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear',
      predictionType: 'epsilon', stepsOffset: 1, rescaleBetasZeroSnr: false, extra: { set_alpha_to_one: false, skip_prk_steps: true },
    },
    textEncoders: [{
      tokenizer: { vocabulary: {}, merges: [], padToken: '', modelMaxLength: tokens, highestId: 0 },
      width: contextSize,
      session: session('text', ['hidden_states_0'], async (feeds) => {
        return { hidden_states_0: zeros([rowsOf(feeds.input_ids), tokens, contextSize]) }
      }),
    }],
    unet: session('unet', ['out_sample'], async ({ sample }) => ({ out_sample: zeros(sample?.dims ?? []) })),
    vae: {
      latentChannels: 4, latentFactor: 8, scalingFactor: 1, shiftFactor: 0,
      decoder: session('vae', ['image'], () => Promise.reject(new Error('nothing is decoded here'))),
    },
  }
  return new StableDiffusionPipeline({
    model,
    cache: new EmbedsCache(0),
    tokenizers: [{ chunks: (prompt) => [Array.from({ length: tokens }, (_, i) => prompt.charCodeAt(i % Math.max(1, prompt.length)) || 0)] }],
    runNetwork: (network, feeds) => network.run(feeds),
    createNoiseSchedulerRun: startNoiseScheduler,
    createNoiseSource,
  })
}
