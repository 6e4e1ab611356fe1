import { createHash } from 'node:crypto'
import { type StatWatcher, unwatchFile, watchFile } from 'node:fs'
import { digestApiKey } from './api-key.ts'
import { type KeyEntry, keyFilePath, readKeys } from './key-file.ts'
import type { Authenticator, Principal } from './principal.ts'

/** What an authenticator needs. */
export interface FileAuthenticatorOptions {
  readonly dataFolder: string
  readonly pepper: Uint8Array
  /** Keys from the configuration, in the clear; each is an account of its own. */
  readonly configuredKeys: readonly string[]
  /** Called when a changed key file cannot be read; the keys known before stay valid. */
  readonly onReloadError: (error: unknown) => void
}

/** How often the key file is looked at, so that a revoked key stops working on a running server. */
const reloadEveryMs = 1_000

/**
 * Tells whose a key is, from the data folder's key file and the configuration.
 *
 * A key is looked up by its digest, so the time taken says nothing about how much of a wrong key is right.
 */
export class FileAuthenticator implements Authenticator {
  readonly #options: FileAuthenticatorOptions
  readonly #configured: ReadonlyMap<string, Principal>
  #stored: ReadonlyMap<string, Principal> = new Map()
  #watcher: StatWatcher | undefined
  readonly #reload = () => void this.#load().catch(this.#options.onReloadError)

  constructor(options: FileAuthenticatorOptions) {
    this.#options = options
    this.#configured = new Map(options.configuredKeys.map(key => [digestApiKey(key, options.pepper), configuredPrincipal(key)]))
  }

  /** Reads the keys and follows the file. Throws a StartError when it cannot be read. */
  async start(): Promise<void> {
    await this.#load()
    this.#watcher = watchFile(keyFilePath(this.#options.dataFolder), { interval: reloadEveryMs, persistent: false }, this.#reload)
    this.#watcher.unref()
  }

  stop(): void {
    unwatchFile(keyFilePath(this.#options.dataFolder), this.#reload)
  }

  authenticate(apiKey: string): Principal | undefined {
    const digest = digestApiKey(apiKey, this.#options.pepper)
    return this.#stored.get(digest) ?? this.#configured.get(digest)
  }

  async #load(): Promise<void> {
    const keys = await readKeys(this.#options.dataFolder)
    this.#stored = new Map(keys.map(key => [key.digest, storedPrincipal(key)]))
  }
}

function storedPrincipal({ id, account }: KeyEntry): Principal {
  return { account, keyId: id }
}

/** A configured key has no entry to take an id from, so its id is derived from it, the same at every start. */
function configuredPrincipal(apiKey: string): Principal {
  const id = `config-${createHash('sha256').update(apiKey).digest('hex').slice(0, 12)}`
  return { account: id, keyId: id }
}
