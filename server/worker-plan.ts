import { ModelType } from '../engine/index.ts'
import type { Device, ModelRegistry } from '../engine/index.ts'
import { StartError } from './start-error.ts'
import type { WorkerSettings } from './worker/ipc-messages.ts'

/** Models that are tried for the warm-up of a worker; more would keep a server with many broken ones from saying so. */
const maxWarmUps = 5

/** What all workers of a server are told alike. */
export type CommonWorkerSettings = Omit<WorkerSettings, 'worker' | 'device' | 'warmUp' | 'capacity'>

/** Makes the settings of each worker process. Throws a StartError when there is no checkpoint to serve. */
export function planWorkers(registry: ModelRegistry, common: CommonWorkerSettings): (device: Device, worker: string) => WorkerSettings {
  const warmUp = registry.models.filter(({ type }) => type === ModelType.checkpoint).slice(0, maxWarmUps).map(({ air }) => air)
  if (warmUp.length === 0) throw new StartError(nothingToServe(registry))
  // Twice as many results as rows: while some are encoded and stored, others already fill the batch.
  const capacity = Math.max(2, common.maxRows * 2)
  return (device, worker) => ({ ...common, worker, device, warmUp, capacity })
}

function nothingToServe({ broken }: ModelRegistry): string {
  const reasons = broken.map(({ air, reason }) => `\n  ${air}: ${reason}`).join('')
  return `There is no checkpoint to serve in the models folders${reasons && `; these cannot be used:${reasons}`}`
}
