import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { customAlphabet } from 'nanoid'
import { StartError } from '../start-error.ts'
import { errnoOf } from '../storage/storage-error.ts'
import { createApiKey, digestApiKey } from './api-key.ts'

/** What is kept of an API key; the key itself is shown once and kept nowhere. */
export interface KeyEntry {
  /** Public id, for listing, revoking and logs. */
  readonly id: string
  readonly account: string
  readonly name: string
  /** HMAC-SHA256 of the key, hexadecimal. */
  readonly digest: string
  /** ISO 8601. */
  readonly createdAt: string
}

/** What a new key is made for. */
export interface NewKey {
  /** Keys of one account share tasks, sessions and pictures; by default a key is an account of its own. */
  readonly account?: string
  readonly name?: string
}

const fileName = 'api-keys.json'

/** Letters and digits alone: an id that began with a dash would be taken for a flag of `latentd keys revoke`. */
const newId = customAlphabet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', 12)

/** Where a data folder keeps its keys. */
export function keyFilePath(dataFolder: string): string {
  return join(dataFolder, fileName)
}

/** Reads the keys of a data folder; none where there is no file yet. Throws a StartError when the file is not what was written. */
export async function readKeys(dataFolder: string): Promise<readonly KeyEntry[]> {
  const path = keyFilePath(dataFolder)
  try {
    const { keys } = JSON.parse(await readFile(path, 'utf8')) as { keys?: unknown }
    if (!Array.isArray(keys) || !keys.every(isKeyEntry)) throw new SyntaxError('not a list of keys')
    return keys
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return []
    throw new StartError(`The key file ${path} cannot be read: it has to be the JSON that latentd wrote.`, { cause })
  }
}

/** Adds a new key and returns it: the only time it is seen. */
export async function addKey(dataFolder: string, pepper: Uint8Array, { account, name }: NewKey, now: Date): Promise<{ apiKey: string; entry: KeyEntry }> {
  const apiKey = createApiKey()
  const id = newId()
  const entry = { id, account: account ?? id, name: name ?? '', digest: digestApiKey(apiKey, pepper), createdAt: now.toISOString() }
  await writeKeys(dataFolder, [...await readKeys(dataFolder), entry])
  return { apiKey, entry }
}

/** Removes a key by its id; says whether there was one. A running server forgets it within a second. */
export async function removeKey(dataFolder: string, id: string): Promise<boolean> {
  const keys = await readKeys(dataFolder)
  const kept = keys.filter(key => key.id !== id)
  if (kept.length === keys.length) return false
  await writeKeys(dataFolder, kept)
  return true
}

async function writeKeys(dataFolder: string, keys: readonly KeyEntry[]): Promise<void> {
  const path = keyFilePath(dataFolder)
  const part = `${path}-${randomBytes(8).toString('hex')}`
  try {
    await writeFile(part, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    await rename(part, path)
  } catch (cause) {
    await rm(part, { force: true })
    throw new StartError(`The key file ${path} cannot be written (${errnoOf(cause) ?? 'unknown error'}).`, { cause })
  }
}

function isKeyEntry(value: unknown): value is KeyEntry {
  const fields = ['id', 'account', 'name', 'digest', 'createdAt'] as const
  return typeof value === 'object' && value !== null && fields.every(field => typeof (value as Record<string, unknown>)[field] === 'string')
}
