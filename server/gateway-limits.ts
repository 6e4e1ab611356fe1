import type { Config } from './config/generated/config.ts'
import type { GatewayLimits } from './gateway/gateway-options.ts'

/** Wrong keys an address may send at once, and how many are forgiven each second. */
const wrongKeyBurst = 20
const wrongKeysPerSecond = 1

/** A request that has not arrived whole by then is refused. */
const requestMs = 30_000

/** Pictures inside the answers of requests that one account may have under way: forty of 1024x1024 as PNG. */
const maxInlineBytes = 64 * 2 ** 20

/** How long a replay waits for further results of a task that its client may have seen in part. */
const replayHoldMs = 250

/** What the configuration means for the gateway: its own units and names. */
export function gatewayLimits({ sessions, limits }: Pick<Config, 'sessions' | 'limits'>): GatewayLimits {
  return {
    maxTasks: limits.maxTasksPerSession,
    maxItems: limits.maxOutboxItems,
    maxUnconfirmedFrames: limits.maxWriterFrames,
    replayHoldMs,
    maxTasksPerFrame: limits.maxTasksPerFrame,
    maxUnderWay: limits.maxTasksPerSession,
    maxBufferedBytes: limits.maxWriterBytes,
    authenticationMs: sessions.authTimeoutSeconds * 1000,
    idleMs: sessions.idleTimeoutSeconds * 1000,
    pingIntervalMs: sessions.pingIntervalSeconds * 1000,
    stallMs: sessions.pongTimeoutSeconds * 1000,
    resumeMs: sessions.resumeWindowSeconds * 1000,
    maxItemsPerAccount: limits.maxAccountOutboxItems,
    maxDetachedPerAccount: limits.maxDetachedSessionsPerAccount,
    maxFrameBytes: limits.maxFrameBytes,
    maxUnauthenticatedBytes: limits.maxUnauthenticatedFrameBytes,
    maxConnections: limits.maxConnections,
    maxHttpSockets: limits.maxHttpSockets,
    maxHttpSocketsPerAddress: limits.maxHttpSocketsPerAddress,
    maxUnauthenticatedSockets: limits.maxUnauthenticatedSockets,
    maxUnauthenticatedSocketsPerAddress: limits.maxUnauthenticatedSocketsPerAddress,
    maxPixelSteps: limits.maxTaskMegapixelSteps * 1e6,
    wrongKeyBurst,
    wrongKeysPerSecond,
    requestMs,
    maxInlineBytes,
  }
}
