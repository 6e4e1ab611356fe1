/** Who an API key stands for. */
export interface Principal {
  /** Tasks, sessions and images belong to an account; by default each key is an account of its own. */
  readonly account: string
  /** Public id of the key, for logs; never the key. */
  readonly keyId: string
}

/** Tells whose a key is. */
export interface Authenticator {
  /** Undefined for an unknown or revoked key; takes the same time for both. */
  authenticate(apiKey: string): Principal | undefined
}
