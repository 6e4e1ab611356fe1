import { randomUUID } from 'node:crypto'
import { ModelType } from '../../../engine/index.ts'
import type { ModelRegistry, ModelSpec } from '../../../engine/index.ts'
import { startGateway } from '../../../server/gateway/gateway.ts'
import type { Gateway } from '../../../server/gateway/gateway.ts'
import type { GatewayLimits, GatewayOptions } from '../../../server/gateway/gateway-options.ts'
import { silentLog } from '../../../server/log.ts'
import { createMetrics } from '../../../server/metrics.ts'
import { TargetGuard } from '../../../server/outbound/target-guard.ts'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import type { MemoryQueueOptions } from '../../../server/queue/memory-queue-options.ts'
import { InputImageError } from '../../../server/storage/input-image-error.ts'
import { InputImages } from '../../../server/storage/input-images.ts'
import type { InputImageLimits } from '../../../server/storage/input-images.ts'
import { createPriceTable } from '../../../server/tasks/price-table.ts'
import { FakeWorker } from './fake-worker.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryImageStore } from './memory-image-store.ts'
import { WireClient } from '../../helpers/wire-client.ts'
import type { Frame } from '../../helpers/wire-client.ts'

/** Keys of two accounts. */
export const keyA = 'test-key-of-account-a-0123456789abcdef'
export const keyB = 'test-key-of-account-b-0123456789abcdef'

/** What a test may change of the gateway. */
export type TestOptions = Partial<Omit<GatewayOptions, 'limits'>> & {
  readonly limits?: Partial<GatewayLimits>
  /** No worker runs unless the test starts one. */
  readonly withoutWorker?: boolean
  /** Makes another queue than the usual one. */
  readonly makeQueue?: (clock: ManualClock) => MemoryQueue
  /** What the fake worker's pictures are. */
  readonly bytes?: Uint8Array
}

/** A gateway on a free port with everything behind it in this process. */
export interface StartedGateway {
  readonly gateway: Gateway
  readonly clock: ManualClock
  readonly queue: MemoryQueue
  readonly images: MemoryImageStore
  readonly worker: FakeWorker
  readonly url: string
  readonly httpUrl: string
  connect(path?: string): Promise<WireClient>
  /** Connects and authenticates. */
  login(key?: string, sessionUUID?: string): Promise<WireClient & { sessionUUID: string }>
  /** Resolves when the gateway has noticed that its connections are gone but for `count`. */
  whenConnections(count: number): Promise<void>
  stop(): Promise<void>
}

/** Limits as a small server has them. */
export const testLimits: GatewayLimits = {
  maxTasksPerFrame: 100, maxUnderWay: 100, maxBufferedBytes: 4 * 2 ** 20, authenticationMs: 10_000, idleMs: 120_000, pingIntervalMs: 20_000, stallMs: 20_000,
  maxTasks: 1000, maxItems: 1000, replayHoldMs: 250, maxUnconfirmedFrames: 64, resumeMs: 120_000, maxItemsPerAccount: 10_000, maxDetachedPerAccount: 100,
  maxFrameBytes: 32 * 2 ** 20, maxUnauthenticatedBytes: 65_536, maxConnections: 1000, maxHttpSockets: 1000, maxHttpSocketsPerAddress: 500, maxUnauthenticatedSockets: 1000,
  maxUnauthenticatedSocketsPerAddress: 500, wrongKeyBurst: 100, wrongKeysPerSecond: 1, maxPixelSteps: 1e10, requestMs: 30_000, maxInlineBytes: 64 * 2 ** 20,
}

/** What the queue behind a test's gateway has room for. */
export const testQueueOptions: Omit<MemoryQueueOptions, 'now'> = {
  maxWaiting: 10_000, maxWaitingPerAccount: 10_000, finishedRetentionMs: 600_000, keyRetentionMs: 86_400_000, maxFinished: 100_000, maxKeys: 100_000,
  leaseMs: 15_000,
}

const testInputLimits: InputImageLimits = { maxImageBytes: 2 ** 20, maxBytesPerAccount: 4 * 2 ** 20, inlineTtlSeconds: 60, uploadTtlSeconds: 3600 }

function makeTestQueue(clock: ManualClock): MemoryQueue {
  return new MemoryQueue({ ...testQueueOptions, now: () => clock.now() })
}

/** Starts a gateway; the caller stops it. */
export async function startTestGateway({ limits, withoutWorker = false, bytes, makeQueue = makeTestQueue, ...options }: TestOptions = {}): Promise<StartedGateway> {
  const clock = new ManualClock()
  const now = () => clock.wallNow()
  const queue = makeQueue(clock)
  const images = new MemoryImageStore(now)
  const inputs = new InputImages({ store: images, secret: Buffer.alloc(32, 8), limits: testInputLimits, now })
  const worker = new FakeWorker({ queue, images, now, ...(bytes && { bytes }) })
  const gateway = await startGateway({
    host: '127.0.0.1', port: 0, clock, queue, images, inputs, models: testRegistry,
    targets: new TargetGuard({ privateHosts: ['127.0.0.1:9'] }),
    fetchImage: async () => { throw new InputImageError('unreachable', 'tests fetch nothing') },
    authenticator: { authenticate: key => key === keyA ? { account: 'a', keyId: 'ka' } : key === keyB ? { account: 'b', keyId: 'kb' } : undefined },
    prices: createPriceTable({ perImage: 0.001, perMegapixelStep: 0.0001 }),
    metrics: createMetrics(), log: silentLog, imageSecret: Buffer.alloc(32, 7), strictParameters: false, corsOrigins: ['*'], isReady: () => true,
    limits: { ...testLimits, ...limits },
    ...options,
  })
  if (!withoutWorker) worker.start()
  const clients: WireClient[] = []
  const url = `ws://127.0.0.1:${gateway.address.port}`
  const connect = async (path = '/v1') => {
    const client = await WireClient.open(url + path)
    clients.push(client)
    return client
  }
  return {
    gateway, clock, queue, images, worker, url, connect,
    httpUrl: `http://127.0.0.1:${gateway.address.port}`,
    async login(key = keyA, sessionUUID) {
      const client = await connect()
      return Object.assign(client, { sessionUUID: await client.authenticate(key, sessionUUID) })
    },
    async whenConnections(count) {
      // The close of a socket is noticed by its own event, which comes with a turn of the loop.
      while (gateway.connections > count) await new Promise(resolve => setImmediate(resolve))
    },
    async stop() {
      for (const client of clients) client.socket.terminate()
      worker.stop()
      const stopped = gateway.stop()
      while (gateway.connections > 0) await new Promise(resolve => setImmediate(resolve))
      clock.advance(10_000)
      await stopped
      await queue.stop()
    },
  }
}

/** An imageInference task that the test models can do. */
export function inference(choices: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> & { readonly taskUUID: string } {
  return { taskType: 'imageInference', taskUUID: randomUUID(), positivePrompt: 'a cat', model: 'local:test@1', width: 128, height: 128, ...choices }
}

/** True for a frame that has something of the task. */
export function isAbout(taskUUID: string): (frame: Frame) => boolean {
  return ({ data, errors }) => [...data ?? [], ...errors ?? []].some(item => item['taskUUID'] === taskUUID)
}

function spec(air: string, choices: Partial<ModelSpec> = {}): ModelSpec {
  return { air, type: ModelType.checkpoint, name: air, family: 'sd1', path: '/nowhere', defaults: {}, ...choices }
}

const trained = {
  className: 'PNDMScheduler', numTrainTimesteps: 1000, betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear',
  predictionType: 'epsilon', stepsOffset: 1, rescaleBetasZeroSnr: false, extra: {},
} as const

const models = [
  spec('local:test@1'),
  spec('local:sized@1', { noiseSchedule: trained, defaults: { width: 256, height: 192, steps: 4, CFGScale: 3, scheduler: 'Euler' } }),
  spec('local:xl@1', { family: 'sdxl' }),
  spec('local:refiner@1', { family: 'sdxlRefiner' }),
  spec('local:xl-inpaint@1', { family: 'sdxl', takesMask: true }),
  spec('local:lora@1', { type: ModelType.lora }),
  spec('local:vae@1', { type: ModelType.vae }),
  spec('local:adapter@1', { type: ModelType.ipAdapter, family: 'sd1' }),
  spec('local:xladapter@1', { type: ModelType.ipAdapter, family: 'sdxl' }),
  spec('local:checked@1', { safetyChecker: 'local:checker@1' }),
  spec('local:star@1', { type: ModelType.embedding }),
  spec('local:edges@1', { type: ModelType.controlNet }),
  spec('local:depth@1', { type: ModelType.controlNet }),
  spec('local:xl-edges@1', { type: ModelType.controlNet, family: 'sdxl' }),
]

/** Models whose names tests use. */
export const testRegistry: ModelRegistry = {
  models,
  broken: [{ air: 'local:broken@1', reason: 'its UNet has no weights.' }],
  find: air => models.find(model => model.air === air.toLowerCase()),
}
