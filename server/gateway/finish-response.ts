import type { ServerResponse } from 'node:http'

/**
 * Ends a response with a body that a client may leave lying. One that takes nothing of it for `stallMs` is cut off: until then the body
 * is in memory. The time is Node's own, which alone sees how much of a write is still to go.
 */
export function finishResponse(response: ServerResponse, body: string | Uint8Array | undefined, stallMs: number): void {
  // Node sets the socket's time anew when the response has gone out and when the next request comes.
  response.setTimeout(stallMs, () => response.destroy())
  response.end(body)
}
