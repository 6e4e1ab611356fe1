import { StepLoopEngine } from './core/step-loop-engine.ts'
import { DecodingEngine } from './decoding-engine.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { createModelLoader } from './models/loader.ts'
import { createPipeline } from './pipelines/create-pipeline.ts'
import { EmbedsCache } from './pipelines/embeds-cache.ts'
import { createImageFitter } from './fit-images.ts'
import { openRuntime } from './runtime/open-runtime.ts'
import { rankRounding } from './runtime/rank-buckets.ts'
import { rowBucketsFor } from './runtime/row-buckets.ts'
import { maxCellsFor } from './runtime/run-cells.ts'

/** Encoded prompts kept for the next request: about 270 chunks of SD 1.5, 200 of SD 2.1, 100 of SDXL. */
const embedsCacheBytes = 64 * 2 ** 20

/**
 * Puts an engine together: the runtime of its device, the loader of its models, the step loop over both, and the decoding of
 * pictures before it. Rejects with a RangeError for a precision that the device cannot compute at.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { device, precision = 'default', threads, registry, weightsBudgetBytes, maxRows, maxCells = maxCellsFor(options.device), onRun } = options
  if (precision === 'int8' && device.type === 'cuda') throw new RangeError('The precision int8 is for the processor only')
  const rowBuckets = rowBucketsFor(device, maxRows)
  const runtime = await openRuntime(device, { threads, rowBuckets })
  const roundRank = rankRounding(device)
  const cache = new EmbedsCache(embedsCacheBytes)
  const stepLoop = new StepLoopEngine({
    device,
    maxRows,
    maxCells,
    // Where shapes matter, the most rows, which take the most memory, then those of one picture, which come first after a start.
    // Elsewhere the VAE's encoder waits for a picture: it may never come, and its weights and buffers take memory.
    ...(rowBuckets.length > 0 ? { warmUpRows: [maxRows, Math.min(2, maxRows)] } : { warmsUpEncoder: false }),
    loader: createModelLoader({ registry, runtime, precision, weightsBudgetBytes }),
    createPipeline: (model) => createPipeline(model, { cache, onRun, roundRank, nowMs: () => performance.now() }),
  })
  return new DecodingEngine(stepLoop, createImageFitter())
}
