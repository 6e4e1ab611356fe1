import type { IncomingMessage, ServerResponse } from 'node:http'

/** Lets web pages of the allowed origins read an answer. No cookie is ever looked at, so `*` gives nobody another's rights. */
export function allowOrigin(request: IncomingMessage, response: ServerResponse, allowed: readonly string[]): void {
  if (allowed.includes('*')) {
    response.setHeader('Access-Control-Allow-Origin', '*')
    return
  }
  response.setHeader('Vary', 'Origin')
  const { origin } = request.headers
  if (origin !== undefined && allowed.includes(origin)) response.setHeader('Access-Control-Allow-Origin', origin)
}

/** Answers the question a browser asks before it posts. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  const asked = request.headers['access-control-request-headers']
  response.setHeader('Access-Control-Allow-Methods', 'POST, GET, HEAD, OPTIONS')
  response.setHeader('Access-Control-Allow-Headers', typeof asked === 'string' && /^[\w\s,-]{1,1000}$/.test(asked) ? asked : 'authorization, content-type')
  response.setHeader('Access-Control-Max-Age', '86400')
  response.writeHead(204).end()
}
