import { setTimeout as sleep } from 'node:timers/promises'
import { DeviceSpecError, DeviceUnusableError, ModelError, openRegistry, probeDevices, resolveDevices } from '../engine/index.ts'
import type { BrokenModel, DeviceChoice, DeviceReport, ModelRegistry, ModelSpec } from '../engine/index.ts'
import { FileAuthenticator } from './access/file-authenticator.ts'
import type { Config } from './config/generated/config.ts'
import { openDataFolder } from './data-folder.ts'
import type { DataFolder } from './data-folder.ts'
import { gatewayLimits } from './gateway-limits.ts'
import type { GatewayOptions } from './gateway/gateway-options.ts'
import { startGateway } from './gateway/gateway.ts'
import type { Gateway } from './gateway/gateway.ts'
import { startHousekeeping } from './housekeeping.ts'
import { describeListenError } from './listen-error.ts'
import { createLog } from './log.ts'
import type { Log } from './log.ts'
import type { LogDestination } from './log-lines.ts'
import { createMetrics } from './metrics.ts'
import { describeModelFolderError } from './model-folder-error.ts'
import { observeRun, observeState } from './observe.ts'
import { createImageFetcher } from './outbound/fetch-image.ts'
import { TargetGuard } from './outbound/target-guard.ts'
import { fetchLimits } from './outbound/fetch-limits.ts'
import { MemoryQueue } from './queue/memory-queue.ts'
import { whenFinished } from './shutdown.ts'
import type { Stoppable } from './shutdown.ts'
import { StartError } from './start-error.ts'
import { DiskImageStore } from './storage/disk-image-store.ts'
import { InputImages } from './storage/input-images.ts'
import { errnoOf } from './storage/storage-error.ts'
import { logTaskEnds } from './task-log.ts'
import { createPriceTable } from './tasks/price-table.ts'
import { planWorkers } from './worker-plan.ts'
import { WorkerPool } from './worker/worker-pool.ts'
import { forkWorker } from './worker/worker-process.ts'
import type { WorkerStatus } from './worker/worker-status.ts'

/** A configuration in which the places have been decided too. */
export interface ServerConfig extends Config {
  readonly data: string
  readonly models: readonly string[]
}

/** A server that listens; what its start-up message says of it. */
export interface RunningServer extends Stoppable {
  readonly host: string
  readonly port: number
  readonly models: readonly ModelSpec[]
  readonly broken: readonly BrokenModel[]
  /** Which devices compute, and why these. */
  readonly devices: DeviceChoice
  readonly workers: readonly WorkerStatus[]
  readonly log: Log
  /** Resolves with true when a worker is warm, with false when every worker has been given up or the server was stopped. */
  whenReady(): Promise<boolean>
  /** Why no worker is ready; undefined when one is. */
  readonly unreadyReason: string | undefined
}

/** What a server may be given beside its configuration. */
export interface ServerOptions {
  /** Where log lines go; stderr where absent. */
  readonly logDestination?: LogDestination
}

/** Starts after which a worker that never became ready is given up. */
const maxFailedStarts = 5
const maxRestartDelayMs = 30_000
const steadyAfterMs = 60_000
/** A step of a large model on a processor takes minutes at worst. */
const stalledAfterMs = 600_000

/** What is remembered of finished tasks, in memory; beyond it the oldest are forgotten before their time. */
const maxReadableTasks = 50_000
const maxRememberedKeys = 500_000

const queueSweepMs = 2_000

/** The last errors and results leave within this time, or their clients do not read. */
const deliverWithinMs = 1_000
const deliveryPollMs = 20

/** What a single node is made of; some parts know others, all are stopped here. */
interface Node {
  readonly config: ServerConfig
  readonly log: Log
  readonly queue: MemoryQueue
  readonly pool: WorkerPool
  readonly gateway: Gateway
  readonly authenticator: FileAuthenticator
  readonly endChores: () => void
}

/**
 * The composition root of a single node: a gateway, a queue in its memory, pictures on disk, a worker process for each device.
 * Resolves when it listens; workers become ready after that. Throws a StartError with a sentence for people.
 */
export async function startServer(config: ServerConfig, { logDestination }: ServerOptions = {}): Promise<RunningServer> {
  const log = createLog({ level: config.logLevel, ...(logDestination && { destination: logDestination }) })
  const data = await openDataFolder(config.data)
  const registry = await openModels(config.models)
  const { devices, report } = await chooseDevices(config.device)
  const metrics = createMetrics()
  const queue = openQueue(config)
  const images = new DiskImageStore({ folder: data.imageFolder, now: Date.now })
  await images.start().catch(refuseImageFolder)
  const inputs = openInputs(config, images, data.imageSecret)
  const authenticator = await openAuthenticator(config, data, log)
  const pool = new WorkerPool({
    devices: devices.devices, queue, log,
    now: monotonicNow,
    settings: planWorkers({ config, models: config.models, registry, imageFolder: data.imageFolder, devices: devices.devices, report }),
    fork: () => forkWorker(new URL('worker-main.js', import.meta.url)),
    policy: { firstDelayMs: config.worker.restartDelaySeconds * 1000, maxDelayMs: maxRestartDelayMs, maxFailedStarts, steadyAfterMs, stalledAfterMs },
    onRun: (_, run) => observeRun(metrics, run),
  })
  const gateway = await listen(config, {
    authenticator, queue, images, inputs, metrics, log,
    fetchImage: createImageFetcher(fetchLimits(config)),
    targets: new TargetGuard(fetchLimits(config)),
    host: config.host,
    port: config.port,
    models: registry,
    prices: createPriceTable(config.prices, config.prices.models),
    imageSecret: data.imageSecret,
    ...(config.publicUrl !== undefined && { publicUrl: config.publicUrl }),
    strictParameters: config.strictParameters,
    corsOrigins: config.corsOrigins,
    isReady: () => pool.isReady,
    limits: gatewayLimits(config),
  })
  logTaskEnds(queue, log, Date.now)
  const endChores = startHousekeeping([
    { name: 'queue', everyMs: queueSweepMs, run: () => queue.sweep() },
    { name: 'images', everyMs: config.storage.sweepIntervalSeconds * 1000, run: () => images.sweep(Date.now()) },
    { name: 'inputs', everyMs: config.storage.sweepIntervalSeconds * 1000, run: async () => inputs.sweep(Date.now()) },
    { name: 'metrics', everyMs: queueSweepMs, run: async () => observeState(metrics, { queue, workers: pool.statuses }) },
  ], log)
  pool.start()
  return runningServer({ config, log, queue, pool, gateway, authenticator, endChores }, registry, devices)
}

function runningServer(node: Node, { models, broken }: ModelRegistry, devices: DeviceChoice): RunningServer {
  const { pool, gateway, log } = node
  let stopping: Promise<void> | undefined
  return {
    host: gateway.address.address,
    port: gateway.address.port,
    models, broken, devices, log,
    get workers() {
      return pool.statuses
    },
    get unreadyReason() {
      return pool.unreadyReason
    },
    whenReady: () => pool.whenReady(),
    stop: hurry => stopping ??= stopNode(node, hurry),
  }
}

/**
 * Refuses new work at once, finishes what was accepted for as long as it may, tells the rest that it was not done
 * (a memory queue does not outlive its process), and closes.
 */
async function stopNode({ config, log, queue, pool, gateway, authenticator, endChores }: Node, hurry: AbortSignal): Promise<void> {
  const { graceSeconds, drainSeconds, closeSeconds } = config.shutdown
  log.info('stopping', { unfinished: queue.unfinished })
  gateway.drain()
  queue.close()
  await pause(graceSeconds * 1000, hurry)
  const deadline = AbortSignal.any([hurry, AbortSignal.timeout(drainSeconds * 1000)])
  const hasFinished = await whenFinished(queue, deadline)
  if (!hasFinished) log.warn('tasksNotFinished', { unfinished: queue.unfinished })
  queue.failUnfinished({ code: 'serviceUnavailable', message: 'The server is stopping and could not finish the task; send it again.' })
  await Promise.all([pool.stop(0), whenDelivered(gateway)])
  await gateway.stop({ closeMs: hurry.aborted ? 0 : closeSeconds * 1000 })
  authenticator.stop()
  endChores()
  await queue.stop()
  log.info('stopped')
}

/** Gives what is owed to attached clients the time to leave; a client that is away cannot be waited for. */
async function whenDelivered(gateway: Gateway): Promise<void> {
  const deadline = monotonicNow() + deliverWithinMs
  while (gateway.owedItems > 0 && monotonicNow() < deadline) await sleep(deliveryPollMs)
}

async function openModels(folders: readonly string[]): Promise<ModelRegistry> {
  try {
    return await openRegistry(folders)
  } catch (cause) {
    if (cause instanceof ModelError) throw new StartError(describeModelFolderError(cause.message), { cause })
    throw cause
  }
}

async function chooseDevices(setting: string): Promise<{ readonly devices: DeviceChoice; readonly report: DeviceReport | undefined }> {
  let report: DeviceReport | undefined
  try {
    const devices = await resolveDevices(setting, async () => {
      report = await probeDevices()
      return report
    })
    return { devices, report }
  } catch (cause) {
    if (cause instanceof DeviceSpecError || cause instanceof DeviceUnusableError) throw new StartError(cause.message, { cause })
    throw cause
  }
}

function openQueue({ limits, sessions, worker }: ServerConfig): MemoryQueue {
  const retentionMs = sessions.taskRetentionSeconds * 1000
  return new MemoryQueue({
    maxWaiting: limits.maxQueuedTasks,
    maxWaitingPerAccount: limits.maxQueuedTasksPerAccount,
    finishedRetentionMs: retentionMs,
    keyRetentionMs: retentionMs,
    maxFinished: maxReadableTasks,
    maxKeys: maxRememberedKeys,
    leaseMs: worker.leaseSeconds * 1000,
    now: monotonicNow,
  })
}

function openInputs({ limits, storage }: ServerConfig, store: DiskImageStore, secret: Uint8Array): InputImages {
  return new InputImages({
    store, secret,
    now: Date.now,
    limits: {
      maxImageBytes: limits.maxImageBytes,
      maxBytesPerAccount: limits.maxImageBytesPerAccount,
      inlineTtlSeconds: storage.inlineTtlSeconds,
      uploadTtlSeconds: storage.ttlSeconds,
    },
  })
}

async function openAuthenticator({ apiKeys }: ServerConfig, { path, keyPepper }: DataFolder, log: Log): Promise<FileAuthenticator> {
  const authenticator = new FileAuthenticator({
    dataFolder: path,
    pepper: keyPepper,
    configuredKeys: apiKeys,
    onReloadError: error => log.error('keysNotReloaded', { error }),
  })
  await authenticator.start()
  return authenticator
}

async function listen({ host, port }: ServerConfig, options: GatewayOptions): Promise<Gateway> {
  try {
    return await startGateway(options)
  } catch (cause) {
    throw new StartError(describeListenError(errnoOf(cause), host, port), { cause })
  }
}

function refuseImageFolder(cause: unknown): never {
  throw new StartError(`The folder of pictures in the data folder cannot be written (${errnoOf(cause instanceof Error ? cause.cause : cause) ?? 'unknown error'}).`, { cause })
}

function monotonicNow(): number {
  return performance.now()
}

/** Waits, but not longer than until the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined)
}
