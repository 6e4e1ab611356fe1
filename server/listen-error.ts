/** Why an address cannot be listened on, and what to do, in one sentence for the person who started the server. */
export function describeListenError(errno: string | undefined, host: string, port: number): string {
  switch (errno) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is in use by another program; choose another with --port, or 0 for a free one.`
    case 'EACCES':
      return `Port ${port} of ${host} may not be used by this user; choose one above 1023 with --port.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `The address ${host} is not one of this machine; choose another with --host.`
    default:
      return `The server cannot listen on port ${port} of ${host} (${errno ?? 'unknown error'}).`
  }
}
