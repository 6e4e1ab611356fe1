import type { RunReport } from '../engine.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import { createPromptTokenizer } from '../prompts/prompt-tokenizer.ts'
import { createNoiseSource } from '../random/noise-source.ts'
import type { EmbedsCache } from './embeds-cache.ts'
import { createNetworkRunner } from './network-runner.ts'
import type { Pipeline } from './pipeline.ts'
import { StableDiffusionPipeline } from './stable-diffusion.ts'
import { startNoiseScheduler } from './start-noise-scheduler.ts'

/** What pipelines share. */
export interface PipelineOptions {
  readonly cache: EmbedsCache
  /** Told of every run of a network. */
  readonly onRun?: ((report: RunReport) => void) | undefined
  /** Monotonic clock. */
  readonly nowMs: () => number
  /** To a rank of LoRAs that the device is run with. */
  readonly roundRank: (rank: number) => number
}

/** Makes the pipeline of a model's family; SD 1.x and SD 2.x take the same stages. */
export function createPipeline(model: LoadedModel, { cache, onRun, nowMs, roundRank }: PipelineOptions): Pipeline {
  return new StableDiffusionPipeline({
    model,
    cache,
    tokenizers: model.textEncoders.map(({ tokenizer }) => createPromptTokenizer(tokenizer)),
    runNetwork: createNetworkRunner(model.spec.air, onRun, nowMs),
    createNoiseSchedulerRun: startNoiseScheduler,
    createNoiseSource,
    roundRank,
  })
}
