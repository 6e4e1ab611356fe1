import { constants, setPriority } from 'node:os'
import { createEngine, encodeImage, fixedRegistry, formatDevice } from '../engine/index.ts'
import type { Engine, EngineOptions } from '../engine/index.ts'
import { createLog } from './log.ts'
import { terminalLogFor } from './log-lines.ts'
import { createImageFetcher } from './outbound/fetch-image.ts'
import { createImageUploader } from './outbound/upload-image.ts'
import { DiskImageStore } from './storage/disk-image-store.ts'
import { promptFiles } from './storage/image-files.ts'
import type { Channel } from './worker/channel.ts'
import { IpcClaimer } from './worker/ipc-claimer.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker/ipc-messages.ts'
import { warmUp } from './worker/warm-up.ts'
import { Worker } from './worker/worker.ts'

/** The parts of the engine a worker uses; tests bring their own. */
export interface EngineParts {
  readonly createEngine: (options: EngineOptions) => Promise<Engine>
  readonly encodeImage: typeof encodeImage
}

/** How often a worker whose event loop turns says so. */
const aliveEveryMs = 5_000

/**
 * The composition root of a worker process: runs until its gateway drains it, and rejects when it cannot start.
 * The caller ends the process afterwards.
 */
export async function startWorker(channel: Channel<FromWorker, ToWorker>, parts: EngineParts = { createEngine, encodeImage }): Promise<void> {
  // Before the runtime makes its threads, which inherit it: the gateway is answered first, however busy the processor is.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  const drained = new Promise<number>(resolve => channel.onMessage(message => {
    if (message.type === 'drain') resolve(message.withinMs)
  }))
  const settings = await receiveSettings(channel)
  const alive = setInterval(() => channel.send({ type: 'alive' }), aliveEveryMs).unref()
  try {
    const engine = await open(settings, parts, channel)
    await work(settings, parts, engine, channel, drained)
  } finally {
    clearInterval(alive)
  }
}

function receiveSettings(channel: Channel<FromWorker, ToWorker>): Promise<WorkerSettings> {
  return new Promise(resolve => {
    channel.onMessage(message => {
      if (message.type === 'start') resolve(message.settings)
    })
    channel.send({ type: 'hello' })
  })
}

async function open(settings: WorkerSettings, parts: EngineParts, channel: Channel<FromWorker, ToWorker>): Promise<Engine> {
  const { device, precision, threads, weightsBudgetBytes, maxRows, maxCells } = settings
  try {
    const engine = await parts.createEngine({
      registry: fixedRegistry(settings.registry), device, precision, threads, weightsBudgetBytes, maxRows,
      ...(maxCells !== undefined && { maxCells }),
      onRun: report => channel.send({ type: 'run', report }),
    })
    channel.send({ type: 'ready', ...await warmUp(engine, settings.warmUp) })
    return engine
  } catch (error) {
    channel.send({ type: 'startFailed', reason: error instanceof Error ? error.message : String(error) })
    throw error
  }
}

async function work(settings: WorkerSettings, parts: EngineParts, engine: Engine, channel: Channel<FromWorker, ToWorker>, drained: Promise<number>): Promise<void> {
  const { worker: name, capacity, imageTtlSeconds, imageFolder, fetch, device, logLevel } = settings
  const terminalLog = terminalLogFor(process.stderr)
  terminalLog?.release()
  const worker = new Worker({
    name, capacity, imageTtlSeconds, engine,
    claims: new IpcClaimer(channel),
    encode: parts.encodeImage,
    store: new DiskImageStore({ folder: imageFolder, now: Date.now, files: promptFiles }),
    fetchImage: createImageFetcher(fetch),
    uploadImage: createImageUploader(fetch),
    now: Date.now,
    log: createLog({ level: logLevel, ...(terminalLog && { destination: terminalLog }) }).with({ worker: name, device: formatDevice(device) }),
  })
  void drained.then(withinMs => worker.drain(AbortSignal.timeout(withinMs)))
  await worker.run()
  await engine.stop()
}
