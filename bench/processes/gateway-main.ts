// A gateway as `server/app.ts` puts it together, but with a worker that is done at once, in the same process.
import { FileAuthenticator } from '../../server/access/file-authenticator.ts'
import { resolveConfig } from '../../server/config/resolve-config.ts'
import { openDataFolder } from '../../server/data-folder.ts'
import { gatewayLimits } from '../../server/gateway-limits.ts'
import { startGateway } from '../../server/gateway/gateway.ts'
import { startHousekeeping } from '../../server/housekeeping.ts'
import { createLog } from '../../server/log.ts'
import { createMetrics } from '../../server/metrics.ts'
import { MemoryQueue } from '../../server/queue/memory-queue.ts'
import { DiskImageStore } from '../../server/storage/disk-image-store.ts'
import { InputImages } from '../../server/storage/input-images.ts'
import { logTaskEnds } from '../../server/task-log.ts'
import { createPriceTable } from '../../server/tasks/price-table.ts'
import { benchApiKey } from './bench-socket.ts'
import { beControlled } from './controlled-end.ts'
import { runInstantWorker } from './instant-worker.ts'

/**
 * A server remembers finished tasks for a day. At thousands of tasks a second a run of the bench would fill that memory,
 * so here they are forgotten within seconds, which is work too.
 */
const retentionMs = 2_000
const sweepMs = 1_000

const [dataFolder = ''] = process.argv.slice(2)
const config = resolveConfig({ flags: {}, env: {} })
const { limits } = config
const data = await openDataFolder(dataFolder)
const now = () => performance.now()
const queue = new MemoryQueue({
  maxWaiting: limits.maxQueuedTasks,
  maxWaitingPerAccount: limits.maxQueuedTasksPerAccount,
  finishedRetentionMs: retentionMs,
  keyRetentionMs: retentionMs,
  maxFinished: 1_000_000,
  maxKeys: 1_000_000,
  leaseMs: config.worker.leaseSeconds * 1000,
  now,
})
const images = new DiskImageStore({ folder: data.imageFolder, now: Date.now })
await images.start()
const inputs = new InputImages({
  store: images, secret: data.imageSecret, now: Date.now,
  limits: {
    maxImageBytes: limits.maxImageBytes,
    maxBytesPerAccount: limits.maxImageBytesPerAccount,
    inlineTtlSeconds: config.storage.inlineTtlSeconds,
    uploadTtlSeconds: config.storage.ttlSeconds,
  },
})
const authenticator = new FileAuthenticator({ dataFolder: data.path, pepper: data.keyPepper, configuredKeys: [benchApiKey], onReloadError: fail })
await authenticator.start()
// Lines are made as in a server and go nowhere.
const log = createLog({ level: config.logLevel, destination: { write() {} } })
// What Stable Diffusion 1.5 says of its noise, so that a task's scheduler is checked as it is for a real model.
const noiseSchedule = {
  className: 'PNDMScheduler', numTrainTimesteps: 1000, betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear',
  predictionType: 'epsilon', stepsOffset: 1, rescaleBetasZeroSnr: false, extra: {},
} as const
const model = { air: 'bench:instant@1', type: 'checkpoint', name: 'instant', path: '/none', defaults: {}, noiseSchedule } as const
const gateway = await startGateway({
  host: '127.0.0.1', port: 0, authenticator, queue, images, inputs, log,
  fetchImage: () => Promise.reject(new Error('Nothing is fetched here')),
  targets: { read: () => { throw new Error('Nothing is sent anywhere from here') } },
  models: { models: [model], broken: [], find: air => air === model.air ? model : undefined },
  prices: createPriceTable(config.prices, config.prices.models),
  metrics: createMetrics(),
  imageSecret: data.imageSecret,
  strictParameters: config.strictParameters,
  corsOrigins: config.corsOrigins,
  isReady: () => true,
  limits: gatewayLimits(config),
})
logTaskEnds(queue, log, Date.now)
startHousekeeping([{ name: 'queue', everyMs: sweepMs, run: () => queue.sweep() }], log)
void runInstantWorker(queue).catch(fail)
beControlled(gateway.address.port)

function fail(error: unknown): never {
  throw error
}
