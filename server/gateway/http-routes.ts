import type { IncomingMessage, ServerResponse } from 'node:http'
import { createError, encodeErrors, httpStatusOf } from '../../protocol/index.ts'
import type { ErrorBody } from '../../protocol/index.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { imagesPath } from '../tasks/result-item.ts'
import { baseUrlOf } from './base-url.ts'
import { allowOrigin, answerPreflight } from './cors.ts'
import { finishResponse } from './finish-response.ts'
import { serveImage } from './image-route.ts'
import { serveTasks } from './rest.ts'
import type { RestOptions } from './rest.ts'

/** What the HTTP side of a gateway needs. */
export interface HttpOptions {
  readonly rest: RestOptions
  readonly images: ImageStore
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  readonly corsOrigins: readonly string[]
  readonly publicUrl?: string
  readonly isReady: () => boolean
  /** A client that takes nothing of an answer for this long is given up. */
  readonly stallMs: number
}

type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<void> | void

interface Route {
  /** For metrics. */
  readonly name: string
  readonly methods: readonly string[]
  readonly handle: Handler
}

/** Makes the handler of every request that is no WebSocket upgrade. */
export function createHttpHandler(options: HttpOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { metrics, log, corsOrigins } = options
  const findRoute = createRoutes(options)
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const route = findRoute(path)
    response.on('close', () => metrics.requests.inc({ route: route?.name ?? 'none', status: String(response.statusCode) }))
    response.setHeader('X-Content-Type-Options', 'nosniff')
    allowOrigin(request, response, corsOrigins)
    const { method = 'GET' } = request
    if (method === 'OPTIONS') return answerPreflight(request, response)
    if (!route) return refuse(response, createError('routeNotFound'))
    if (!route.methods.includes(method)) {
      response.setHeader('Allow', [...route.methods, 'OPTIONS'].join(', '))
      return refuse(response, createError('unsupportedMethod', { expected: route.methods.join(' or '), value: method }))
    }
    void handle(route, request, response, path).catch((error: unknown) => {
      // A client that hangs up while it sends is no defect.
      if (request.destroyed && !request.complete) return
      log.error('requestFailed', { route: route.name, error })
      refuse(response, createError('internalServerError'))
    })
  }
}

/** What a handler throws before it waits for anything is a rejection too. */
async function handle(route: Route, request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  await route.handle(request, response, path)
}

function createRoutes({ rest, images, clock, metrics, publicUrl, isReady, stallMs }: HttpOptions): (path: string) => Route | undefined {
  const get = ['GET', 'HEAD']
  const tasks: Route = { name: 'tasks', methods: ['POST'], handle: (request, response) => serveTasks(request, response, baseUrlOf(request, publicUrl), rest) }
  const picture: Route = { name: 'images', methods: get, handle: (request, response, path) => serveImage(path, request, response, { images, clock, stallMs }) }
  const routes = new Map<string, Route>([
    ['/', tasks],
    ['/v1', tasks],
    ['/v1/', tasks],
    ['/healthz', { name: 'healthz', methods: get, handle: (_request, response) => sendJson(response, 200, { status: 'ok' }) }],
    ['/readyz', { name: 'readyz', methods: get, handle: (_request, response) => isReady() ? sendJson(response, 200, { status: 'ready' }) : sendJson(response, 503, { status: 'notReady' }) }],
    ['/metrics', {
      name: 'metrics', methods: get,
      handle: async (_request, response) => {
        const text = await metrics.render()
        finishResponse(response.writeHead(200, { 'Content-Type': metrics.contentType }), text, stallMs)
      },
    }],
  ])
  return path => routes.get(path) ?? (path.startsWith(imagesPath) ? picture : undefined)
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' }).end(JSON.stringify(body))
}

function refuse(response: ServerResponse, error: ErrorBody): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.writeHead(httpStatusOf(error.code)).end(encodeErrors([error], { withSingular: true }))
}
