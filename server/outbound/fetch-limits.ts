import type { Config } from '../config/generated/config.ts'

/** What fetching pictures from URLs is bound by; structured-cloneable. */
export interface FetchLimits {
  readonly maxBytes: number
  /** For the whole fetch, redirects and body included. */
  readonly timeoutMs: number
  /** Hosts, with or without a port, that are called although their addresses are not public. */
  readonly privateHosts: readonly string[]
}

/** What the configuration means for fetching. */
export function fetchLimits({ limits, fetch }: Pick<Config, 'limits' | 'fetch'>): FetchLimits {
  return { maxBytes: limits.maxImageBytes, timeoutMs: fetch.timeoutSeconds * 1000, privateHosts: fetch.privateHosts }
}
