import { availableParallelism, totalmem } from 'node:os'
import { ModelType, formatDevice } from '../engine/index.ts'
import type { Device, DeviceReport, ModelRegistry } from '../engine/index.ts'
import type { Config } from './config/generated/config.ts'
import { fetchLimits } from './outbound/fetch-limits.ts'
import { StartError } from './start-error.ts'
import type { WorkerSettings } from './worker/ipc-messages.ts'

/** Models that are tried for the warm-up of a worker; more would keep a server with many broken ones from saying so. */
const maxWarmUps = 5

/** What a CUDA device has at least, where the driver's tool does not tell. */
const assumedDeviceBytes = 8 * 2 ** 30

/** What planning workers takes. */
export interface WorkerPlan {
  readonly config: Pick<Config, 'precision' | 'threads' | 'maxRows' | 'maxCells' | 'weightsBudgetBytes' | 'logLevel' | 'storage' | 'limits' | 'fetch'>
  readonly models: readonly string[]
  readonly registry: ModelRegistry
  readonly imageFolder: string
  readonly devices: readonly Device[]
  /** What was found about CUDA devices, where it was looked for. */
  readonly report: DeviceReport | undefined
}

/** Makes the settings of each worker process. Throws a StartError when there is no checkpoint to serve, or a device that cannot compute at the precision asked for. */
export function planWorkers({ config, models, registry, imageFolder, devices, report }: WorkerPlan): (device: Device, worker: string) => WorkerSettings {
  const warmUp = registry.models.filter(({ type }) => type === ModelType.checkpoint).slice(0, maxWarmUps).map(({ air }) => air)
  if (warmUp.length === 0) throw new StartError(nothingToServe(models, registry))
  const { precision, maxRows, maxCells, logLevel } = config
  const cuda = devices.find(({ type }) => type === 'cuda')
  if (precision === 'int8' && cuda) throw new StartError(notOnCuda(cuda))
  return (device, worker) => ({
    worker, device, precision, warmUp, maxRows, imageFolder, logLevel,
    // Its function cannot be sent.
    registry: { models: registry.models, broken: registry.broken },
    // As many results as rows: with guidance half of them fill a run, and while some are encoded and stored others already step.
    capacity: maxRows,
    ...(maxCells > 0 && { maxCells }),
    threads: config.threads || Math.max(1, Math.floor(availableParallelism() / devices.length)),
    weightsBudgetBytes: config.weightsBudgetBytes || Math.floor(memoryOf(device, report) / 2),
    imageTtlSeconds: config.storage.ttlSeconds,
    fetch: fetchLimits(config),
  })
}

function memoryOf(device: Device, report: DeviceReport | undefined): number {
  if (device.type === 'cpu') return Math.min(totalmem(), process.constrainedMemory() || Infinity)
  const found = report?.cuda.devices.find(({ index }) => index === device.index)
  return found?.memoryMiB === undefined ? assumedDeviceBytes : found.memoryMiB * 2 ** 20
}

function notOnCuda(device: Device): string {
  return `The setting precision int8 is for the processor, and ${formatDevice(device)} would compute; use --device cpu with it, or leave it out.`
}

function nothingToServe(places: readonly string[], { broken }: ModelRegistry): string {
  const reasons = broken.map(({ air, reason }) => `\n  ${air}: ${reason}`).join('')
  const expected = 'a models folder holds diffusers folders, .safetensors files, or a models.json that lists them'
  return `There is no checkpoint to serve in ${places.join(', ')}; ${reasons ? `these cannot be used:${reasons}` : `${expected}.`}`
}
