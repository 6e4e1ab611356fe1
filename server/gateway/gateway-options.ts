import type { ModelRegistry } from '../../engine/index.ts'
import type { Authenticator } from '../access/principal.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { TargetGuard } from '../outbound/target-guard.ts'
import type { FetchImage } from '../outbound/fetch-image.ts'
import type { TaskEvents, TaskReader, TaskSubmitter } from '../queue/contract.ts'
import type { HubLimits } from '../sessions/hub.ts'
import type { ImageStore } from '../storage/image-store.ts'
import type { InputImages } from '../storage/input-images.ts'
import type { PriceTable } from '../tasks/price-table.ts'

/** Caps and times of one connection. */
export interface ConnectionLimits {
  readonly maxTasksPerFrame: number
  /** Most uploads, and most polls, of one connection that may be under way at once. */
  readonly maxUnderWay: number
  /** Bytes that may wait in a socket before nothing more is written to it or read from it. */
  readonly maxBufferedBytes: number
  /** A socket that has not authenticated by then is closed. */
  readonly authenticationMs: number
  /** A connection without messages and without a running task is closed after this time. */
  readonly idleMs: number
  /** Time between pings on a quiet connection. */
  readonly pingIntervalMs: number
  /** A peer that takes or confirms nothing for this long is given up; what it is owed waits for a resume. */
  readonly stallMs: number
}

/** Caps and times of the whole gateway. */
export interface GatewayLimits extends ConnectionLimits, HubLimits {
  /** Largest frame, and largest body of a request. */
  readonly maxFrameBytes: number
  /** Most bytes of pictures inside the answers of requests that are on their way to one account; one task's may have more. */
  readonly maxInlineBytes: number
  /** Bytes read from a socket before it has authenticated. */
  readonly maxUnauthenticatedBytes: number
  readonly maxConnections: number
  /** Sockets that speak HTTP, in all and from one address. */
  readonly maxHttpSockets: number
  readonly maxHttpSocketsPerAddress: number
  readonly maxUnauthenticatedSockets: number
  readonly maxUnauthenticatedSocketsPerAddress: number
  /** Wrong keys of one address at once, and forgiven each second. */
  readonly wrongKeyBurst: number
  readonly wrongKeysPerSecond: number
  /** Most pixels × steps × results of one task. */
  readonly maxPixelSteps: number
  /** A request that has not arrived whole by then is refused. */
  readonly requestMs: number
}

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly authenticator: Authenticator
  readonly queue: TaskSubmitter & TaskReader & TaskEvents
  readonly images: ImageStore
  /** Keeps the pictures that clients send. */
  readonly inputs: InputImages
  /** Fetches pictures that are uploaded by their URL. */
  readonly fetchImage: FetchImage
  /** Which URLs of clients may be called. */
  readonly targets: Pick<TargetGuard, 'read'>
  readonly models: ModelRegistry
  readonly prices: PriceTable
  readonly metrics: Metrics
  readonly log: Log
  /** Makes imageUUIDs unguessable; the same after a restart. */
  readonly imageSecret: Uint8Array
  /** Address under which clients reach this server; the host they called where absent. */
  readonly publicUrl?: string
  /** Refuse parameters nobody knows instead of ignoring them. */
  readonly strictParameters: boolean
  /** Origins of web pages that may use the server; `*` for all. */
  readonly corsOrigins: readonly string[]
  /** True when a worker can take a task at once. */
  readonly isReady: () => boolean
  readonly limits: GatewayLimits
  /** @default the machine's clock */
  readonly clock?: Clock
  /** UUIDs of sessions; unguessable. @default crypto.randomUUID */
  readonly makeUuid?: () => string
  /** A whole number from 0 to below `limit`, for seeds. @default crypto.randomInt */
  readonly randomInteger?: (limit: number) => number
}
