import type { IncomingMessage } from 'node:http'

/** A host and perhaps a port, and nothing that could change where a URL points. */
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/

/**
 * The address under which a client reaches this server, for the URLs of its pictures: the configured one, or the host
 * that the client itself called, which is the only one known to work for it.
 */
export function baseUrlOf(request: IncomingMessage, publicUrl: string | undefined): string {
  if (publicUrl) return publicUrl.replace(/\/+$/, '')
  const { host } = request.headers
  const scheme = 'encrypted' in request.socket && request.socket.encrypted === true ? 'https' : 'http'
  if (host && hostPattern.test(host)) return `${scheme}://${host}`
  const { localAddress = '127.0.0.1', localPort, localFamily } = request.socket
  return `${scheme}://${localFamily === 'IPv6' ? `[${localAddress}]` : localAddress}:${localPort}`
}
