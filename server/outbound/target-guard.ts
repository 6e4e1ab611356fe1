import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isPublicAddress } from './public-address.ts'

/** Why a URL that somebody else wrote is not called. The message names neither the address it leads to nor what lies there. */
export class TargetRefusedError extends Error {
  override readonly name = 'TargetRefusedError'
}

/** A host name could not be resolved. */
export class HostUnknownError extends Error {
  override readonly name = 'HostUnknownError'
}

/** An address a host name stands for. */
export interface HostAddress {
  readonly address: string
  readonly family: number
}

/** Gives all addresses of a host name. */
export type ResolveHost = (hostname: string) => Promise<readonly HostAddress[]>

/** Where a request may go: the URL, and the one checked address that may be connected to. */
export interface Target extends HostAddress {
  readonly url: URL
}

/** What a guard works with. */
export interface TargetGuardOptions {
  /** Hosts, with or without a port, that are called although their addresses are not public; with a port, at that port. */
  readonly privateHosts: readonly string[]
  /** @default the system's resolver */
  readonly resolve?: ResolveHost
}

const schemes = ['http:', 'https:']
const standardPorts = ['', '80', '443']

/** The longest URL that is looked at. */
const maxUrlLength = 8192

/**
 * Decides whether a URL that a client wrote may be called: http or https, a standard port, no credentials, and a host whose
 * every address is public. The address that was checked is the one to connect to, so that a name cannot change its mind.
 */
export class TargetGuard {
  readonly #privateHosts: ReadonlySet<string>
  readonly #resolve: ResolveHost

  constructor({ privateHosts, resolve = resolveAll }: TargetGuardOptions) {
    this.#privateHosts = new Set(privateHosts.map(host => host.toLowerCase()))
    this.#resolve = resolve
  }

  /** What can be told from the text alone. @throws TargetRefusedError */
  read(text: string): URL {
    const url = parse(text)
    if (!standardPorts.includes(url.port) && !this.#privateHosts.has(url.host)) throw new TargetRefusedError('the port must be 80 or 443')
    return url
  }

  /** @throws TargetRefusedError, HostUnknownError */
  async check(text: string): Promise<Target> {
    const url = this.read(text)
    const isPrivate = this.#privateHosts.has(url.host) || this.#privateHosts.has(url.hostname)
    const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const family = isIP(hostname)
    const addresses = family > 0 ? [{ address: hostname, family }] : await this.#addressesOf(hostname)
    if (!isPrivate && !addresses.every(({ address }) => isPublicAddress(address))) {
      throw new TargetRefusedError('the host has no public address')
    }
    return { url, ...addresses[0] as HostAddress }
  }

  async #addressesOf(hostname: string): Promise<readonly HostAddress[]> {
    let addresses: readonly HostAddress[]
    try {
      addresses = await this.#resolve(hostname)
    } catch (cause) {
      throw new HostUnknownError('the host name cannot be resolved', { cause })
    }
    if (addresses.length === 0) throw new HostUnknownError('the host name cannot be resolved')
    return addresses
  }
}

function parse(text: string): URL {
  if (text.length > maxUrlLength) throw new TargetRefusedError(`the URL may have at most ${maxUrlLength} characters`)
  if (!URL.canParse(text)) throw new TargetRefusedError('it is no URL')
  const url = new URL(text)
  if (!schemes.includes(url.protocol)) throw new TargetRefusedError('the URL must start with http:// or https://')
  if (url.username !== '' || url.password !== '') throw new TargetRefusedError('the URL must not hold a user name or password')
  return url
}

function resolveAll(hostname: string): Promise<readonly HostAddress[]> {
  return lookup(hostname, { all: true })
}
