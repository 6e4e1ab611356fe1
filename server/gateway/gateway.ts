import { randomInt, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createNoiseSchedulerCheck } from '../../engine/index.ts'
import { AccountSlots } from '../account-slots.ts'
import { systemClock } from '../clock.ts'
import { Hub } from '../sessions/hub.ts'
import { createFrameEncoder } from '../tasks/encode-outbox-frame.ts'
import { createImageUuids } from '../tasks/image-uuid.ts'
import { TaskDesk } from '../tasks/task-desk.ts'
import { AnswerRoom } from './answer-room.ts'
import { FailureLimiter } from './failure-limiter.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { createHttpHandler } from './http-routes.ts'
import { HttpSockets } from './http-sockets.ts'
import { SocketServer } from './socket-server.ts'

/** A running gateway. */
export interface Gateway {
  /** Where it listens. */
  readonly address: AddressInfo
  /** Open WebSocket connections. */
  readonly connections: number
  /** Live sessions, attached or waiting for their client. */
  readonly sessions: number
  /** Results and errors owed to clients, those of accepted tasks included. */
  readonly owedItems: number
  /** Accepts nothing more and is not ready; open connections get what was accepted. Idempotent. */
  drain(): void
  /** Closes all connections, spread over `closeMs`, with a code after which clients come back; idempotent. */
  stop(options?: { readonly closeMs?: number }): Promise<void>
}

/** How often connections and sessions look at the clock. */
const tickMs = 1_000

/** What a peer's half of the closing handshake may take. */
const closeGraceMs = 1_000

/** Pictures uploaded by URL that are fetched at once; each may take as much memory as a file may have bytes. */
const maxFetches = 8

/** Wrong keys remembered at most. */
const maxAddresses = 10_000

/** Starts listening; rejects when the address cannot be had. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { clock = systemClock, limits, metrics, queue, images, log } = options
  const makeUuid = options.makeUuid ?? randomUUID
  const wrongKeys = new FailureLimiter({ burst: limits.wrongKeyBurst, perSecond: limits.wrongKeysPerSecond, maxAddresses, now: () => clock.now() })
  const hub: Hub = new Hub({
    limits, clock, makeUuid,
    encode: createFrameEncoder(images),
    onExpired: tasks => {
      metrics.sessionsExpired.inc()
      desk.abandon(tasks)
    },
  })
  const desk = new TaskDesk({
    queue, images,
    uploads: { inputs: options.inputs, fetchImage: options.fetchImage, slots: new AccountSlots(maxFetches) },
    findSession: uuid => hub.find(uuid),
    onDefect: (error, { taskType, taskUUID }) => log.error('taskDefect', { taskType, taskUUID, error }),
    onEnded: ({ record, status }) => {
      metrics.tasksEnded.inc({ status })
      metrics.taskDuration.observe({ status }, Math.max(0, clock.wallNow() - record.acceptedAt) / 1000)
    },
    plan: {
      models: options.models, prices: options.prices, targets: options.targets, maxPixelSteps: limits.maxPixelSteps,
      imageUuidOf: createImageUuids(options.imageSecret), findNoiseSchedulerProblem: createNoiseSchedulerCheck(),
      randomInteger: options.randomInteger ?? (limit => randomInt(limit)), now: () => clock.wallNow(),
    },
  })
  const sockets = new SocketServer({ ...options, clock, hub, desk, wrongKeys })
  let isDraining = false
  const server = createHttpServer(limits.requestMs)
  server.on('request', createHttpHandler({
    ...options, clock, stallMs: limits.stallMs,
    isReady: () => !isDraining && options.isReady(),
    rest: {
      ...options, desk, wrongKeys, makeUuid,
      maxBodyBytes: limits.maxFrameBytes, maxStrangersBytes: limits.maxUnauthenticatedBytes, maxTasksPerFrame: limits.maxTasksPerFrame,
      maxInlineBytes: limits.maxInlineBytes, stallMs: limits.stallMs, room: new AnswerRoom(limits.maxInlineBytes),
    },
  }))
  const httpSockets = new HttpSockets(server, { maxSockets: limits.maxHttpSockets, maxSocketsPerAddress: limits.maxHttpSocketsPerAddress, metrics })
  server.on('upgrade', (request, socket, head) => {
    httpSockets.upgraded(socket)
    sockets.upgrade(request, socket, head)
  })
  await listen(server, options)
  desk.start()
  const stopTicking = clock.every(tickMs, () => {
    sockets.tick()
    hub.sweep()
    metrics.connections.set({ state: 'ready' }, sockets.size - sockets.strangers)
    metrics.connections.set({ state: 'opened' }, sockets.strangers)
    metrics.connections.set({ state: 'http' }, httpSockets.size)
    metrics.sessions.set({ state: 'detached' }, hub.detached)
    metrics.sessions.set({ state: 'attached' }, hub.size - hub.detached)
    metrics.outboxItems.set(hub.items)
  })
  log.info('listening', { ...server.address() as AddressInfo })
  let stopping: Promise<void> | undefined
  const drain = () => {
    isDraining = true
    sockets.drain()
  }
  return {
    address: server.address() as AddressInfo,
    get connections() { return sockets.size },
    get sessions() { return hub.size },
    get owedItems() { return hub.items },
    drain,
    stop({ closeMs = 0 } = {}) {
      drain()
      stopping ??= (async () => {
        const closed = new Promise<void>(resolve => server.close(() => resolve()))
        server.closeIdleConnections()
        await sockets.close(closeMs)
        // A peer that does not answer its close is cut, and so is a request that still waits for its task.
        const cancelCut = clock.after(closeGraceMs, () => {
          sockets.terminate()
          server.closeAllConnections()
        })
        await closed
        cancelCut()
        stopTicking()
        desk.stop()
        hub.clear()
      })()
      return stopping
    },
  }
}

/** Every limit that a slow or lying peer could use is set here; Node's parser refuses the rest. */
function createHttpServer(requestMs: number): Server {
  return createServer({
    headersTimeout: Math.min(10_000, requestMs),
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(1_000, requestMs),
    keepAliveTimeout: 65_000,
    maxHeaderSize: 16_384,
    insecureHTTPParser: false,
    noDelay: true,
  })
}

async function listen(server: Server, { host, port }: GatewayOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
