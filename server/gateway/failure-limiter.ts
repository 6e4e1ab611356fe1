/** What a limiter allows. */
export interface FailureLimiterOptions {
  /** Failures that an address may cause at once. */
  readonly burst: number
  /** Failures forgiven each second. */
  readonly perSecond: number
  /** Addresses remembered; the one seen longest ago is forgotten first. */
  readonly maxAddresses: number
  /** Monotonic clock, ms. */
  readonly now: () => number
}

interface Bucket {
  tokens: number
  at: number
}

/** A token bucket for each address, emptied by wrong keys; an empty one keeps the address out. */
export class FailureLimiter {
  readonly #options: FailureLimiterOptions
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: FailureLimiterOptions) {
    this.#options = options
  }

  /** Seconds until the address may try again; 0 when it may now. */
  retryAfter(address: string): number {
    const bucket = this.#buckets.get(address)
    if (!bucket) return 0
    const tokens = this.#refilled(bucket)
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / this.#options.perSecond)
  }

  fail(address: string): void {
    const { burst, maxAddresses, now } = this.#options
    const bucket = this.#buckets.get(address) ?? { tokens: burst, at: now() }
    this.#buckets.delete(address)
    this.#buckets.set(address, { tokens: Math.max(0, this.#refilled(bucket) - 1), at: now() })
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size > maxAddresses && oldest !== undefined) this.#buckets.delete(oldest)
  }

  #refilled({ tokens, at }: Bucket): number {
    const { burst, perSecond, now } = this.#options
    return Math.min(burst, tokens + (now() - at) / 1000 * perSecond)
  }
}
