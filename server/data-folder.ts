import { hkdfSync, randomBytes } from 'node:crypto'
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { StartError } from './start-error.ts'
import { errnoOf } from './storage/storage-error.ts'

/** What a server keeps between its starts, and where. */
export interface DataFolder {
  readonly path: string
  /** Where pictures lie. */
  readonly imageFolder: string
  /** Makes imageUUIDs unguessable. */
  readonly imageSecret: Buffer
  /** Hashes API keys at rest. */
  readonly keyPepper: Buffer
}

const secretFile = 'server-secret'
const secretBytes = 32

/** Opens the data folder, making it and the server's secret at the first start; readable by the server's own user alone. */
export async function openDataFolder(folder: string): Promise<DataFolder> {
  const path = resolve(folder)
  try {
    await makeFolder(path)
    const secret = await readSecret(path) ?? await makeSecret(path)
    return {
      path,
      imageFolder: join(path, 'images'),
      imageSecret: derive(secret, 'imageUUID'),
      keyPepper: derive(secret, 'apiKey'),
    }
  } catch (cause) {
    if (cause instanceof StartError) throw cause
    throw new StartError(`The data folder ${path} cannot be used (${errnoOf(cause) ?? 'unknown error'}): it has to be a folder that this user may write.`, { cause })
  }
}

/** Makes a folder and those above it. Not by `recursive`, which never returns where a parent cannot hold folders, such as /proc. */
async function makeFolder(path: string): Promise<void> {
  const tryOnce = () => mkdir(path, { mode: 0o700 })
  try {
    await tryOnce()
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    const above = dirname(path)
    if (errnoOf(error) !== 'ENOENT' || above === path || await stat(above).catch(() => undefined)) throw error
    await makeFolder(above)
    await tryOnce()
  }
}

async function readSecret(folder: string): Promise<Buffer | undefined> {
  const path = join(folder, secretFile)
  try {
    const secret = Buffer.from(await readFile(path, 'utf8'), 'hex')
    if (secret.length !== secretBytes) {
      throw new StartError(`${path} does not hold the ${secretBytes} bytes in hexadecimal that the server wrote; restore it, or remove it and create new API keys.`)
    }
    await chmod(path, 0o600)
    return secret
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Of two servers that start at once in one folder the first to link its secret wins, and both use that one. */
async function makeSecret(folder: string): Promise<Buffer> {
  const part = join(folder, `${secretFile}-${randomBytes(8).toString('hex')}`)
  try {
    await writeFile(part, `${randomBytes(secretBytes).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
    await link(part, join(folder, secretFile))
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(part, { force: true })
  }
  const secret = await readSecret(folder)
  if (!secret) throw new StartError('The server\'s secret was removed while the server was starting.')
  return secret
}

/** One secret for each use, so that none tells anything of another. */
function derive(secret: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `latentd ${use}`, secretBytes))
}
