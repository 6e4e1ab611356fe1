import { request as requestHttp } from 'node:http'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Target } from './target-guard.ts'

/** What to send to a target. */
export interface GuardedRequest {
  readonly method: 'GET' | 'PUT'
  readonly headers: OutgoingHttpHeaders
  readonly body?: Uint8Array
  /** Ends the request, and the reading of its response. */
  readonly signal: AbortSignal
}

/**
 * Sends one request to the checked address of a target and resolves with the response, whose body the caller reads or destroys.
 * Follows no redirect, keeps no connection and sends no header but the given ones and those HTTP needs.
 */
export function sendGuarded({ url, address, family }: Target, { method, headers, body, signal }: GuardedRequest): Promise<IncomingMessage> {
  // Called for a host name only; a literal address is the one that was checked.
  const lookup: LookupFunction = (_hostname, options, callback) =>
    options.all ? callback(null, [{ address, family }]) : callback(null, address, family)
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const request = send(url, { method, headers, lookup, agent: false, signal }, resolve)
    request.on('error', reject)
    request.end(body)
  })
}
